from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.atlas.figures import FIGURES
from tuneatlas.studies.atlas.map import MapOptions, map_treatments
from tuneatlas.studies.atlas.runs import read_contents, read_runs
from tuneatlas.tables import MENTIONS

with step(snakemake) as this:
    options = MapOptions(**{name: this.options[name] for name in MapOptions.__dataclass_fields__})
    mentions = {r["id"]: r["mentions"] for p in this.paths("mentions") for r in MENTIONS.read(p)}
    runs = read_runs(this.paths("interpolated"), options.facts, mentions)
    metrics = map_treatments(runs, options, this.seed, read_contents(this.paths("questions")))
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", FIGURES)
