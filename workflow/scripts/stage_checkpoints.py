import json

from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.forgetting.checkpoints import read_runs
from tuneatlas.studies.forgetting.compare import stage_forgetting
from tuneatlas.studies.forgetting.figures import CHECKPOINT_FIGURES
from tuneatlas.studies.forgetting.study import Options
from tuneatlas.studies.forgetting.tables import read_tables

with step(snakemake) as this:
    base, _ = read_tables(this.paths("base"), [])
    runs = read_runs(this.paths("runs"), this.wildcards["model"], snakemake.params.followed)
    overlap = json.loads((this.path("material") / "overlap.json").read_text(encoding="utf-8"))
    options = Options(**{name: this.options[name] for name in Options.__dataclass_fields__})
    metrics = stage_forgetting(base, runs, overlap, options, this.seed).metrics()
    metrics["design"]["tokens"] = snakemake.params.tokens
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", CHECKPOINT_FIGURES)
