from tuneatlas.engine.step import step
from tuneatlas.models.harness import evaluate_harness, write_metrics

with step(snakemake) as this:
    metrics = evaluate_harness(this.path("model"), this.options, bos=snakemake.params.bos)
    write_metrics(this.outputs["metrics"], metrics)
