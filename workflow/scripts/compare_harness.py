from tuneatlas.engine.step import step
from tuneatlas.statistics.metrics import write_metrics
from tuneatlas.studies.knowledge.harness import compare_harness, read_asked

with step(snakemake) as this:
    asked = read_asked(snakemake.params.asked, this.paths("metrics"), this.paths("samples"))
    metrics = compare_harness(asked, this.options, this.seed)
    write_metrics(metrics, this.outputs["folder"])
