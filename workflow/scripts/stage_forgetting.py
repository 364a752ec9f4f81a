import json

from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.forgetting.compare import stage_forgetting
from tuneatlas.studies.forgetting.figures import STAGE_FIGURES
from tuneatlas.studies.forgetting.study import Options
from tuneatlas.studies.forgetting.tables import read_tables

with step(snakemake) as this:
    base, runs = read_tables(this.paths("base"), this.paths("runs"))
    overlap = json.loads((this.paths("material")[0] / "overlap.json").read_text(encoding="utf-8"))
    options = Options(**{name: this.options[name] for name in Options.__dataclass_fields__})
    metrics = stage_forgetting(base, runs, overlap, options, this.seed).metrics()
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", STAGE_FIGURES)
