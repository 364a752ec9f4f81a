import json

from tuneatlas.compare import write_metrics
from tuneatlas.figures import draw_figures
from tuneatlas.stage_figures import STAGE_FIGURES
from tuneatlas.stage_forgetting import Options, stage_forgetting
from tuneatlas.stage_tables import read_tables
from tuneatlas.step import step

with step(snakemake) as this:
    base, runs = read_tables(this.paths("base"), this.paths("runs"))
    overlap = json.loads((this.path("material") / "overlap.json").read_text(encoding="utf-8"))
    options = Options(**{name: this.options[name] for name in Options.__dataclass_fields__})
    metrics = stage_forgetting(base, runs, overlap, options, this.seed).metrics()
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", STAGE_FIGURES)
