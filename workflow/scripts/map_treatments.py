from tuneatlas.engine.step import step
from tuneatlas.plots import draw_figures
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.atlas.figures import FIGURES
from tuneatlas.studies.atlas.telling import tell

with step(snakemake) as this:
    metrics = tell(this)
    write_metrics(metrics, this.outputs["folder"])
    draw_figures(metrics, this.outputs["folder"] / "figures", FIGURES)
