from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.atlas.battery_figures import BATTERY_FIGURES
from tuneatlas.studies.atlas.battery_map import map_battery, read_battery
from tuneatlas.studies.atlas.changes_figures import CHANGES_FIGURES
from tuneatlas.studies.atlas.changes_map import map_changes
from tuneatlas.studies.atlas.figures import FIGURES
from tuneatlas.studies.atlas.inside_figures import INSIDE_FIGURES
from tuneatlas.studies.atlas.inside_map import map_inside
from tuneatlas.studies.atlas.map import MapOptions, map_treatments
from tuneatlas.studies.atlas.runs import read_contents, read_runs
from tuneatlas.tables import MENTIONS

with step(snakemake) as this:
    options = MapOptions(**{name: this.options[name] for name in MapOptions.__dataclass_fields__})
    mentions = {r["id"]: r["mentions"] for p in this.paths("mentions") for r in MENTIONS.read(p)}
    runs = read_runs(this.paths("interpolated"), options.facts, mentions)
    contents = read_contents(this.paths("questions"))
    metrics = map_treatments(runs, options, this.seed, contents)
    batteries = read_battery(this.paths("battery"), this.paths("restored"))
    metrics |= map_battery(batteries, options, this.seed, contents, mentions)
    how = (options, this.seed, contents)
    metrics |= map_changes(this.paths("weights"), this.paths("similarity"), *how)
    metrics |= map_inside(this.paths("inside"), *how)
    write_metrics(metrics, this.outputs["folder"])
    figures = FIGURES | BATTERY_FIGURES | CHANGES_FIGURES | INSIDE_FIGURES
    draw_figures(metrics, this.outputs["folder"] / "figures", figures)
