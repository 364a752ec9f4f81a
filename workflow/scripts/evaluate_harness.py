from tuneatlas.engine.step import step
from tuneatlas.models.harness import evaluate_harness, write_metrics
from tuneatlas.models.harness_items import HARNESS_ITEMS

with step(snakemake) as this:
    # A model that was restored lies in a folder of its share of the budget.
    folder = this.path("model") / snakemake.params.inside
    metrics, items = evaluate_harness(folder, this.options, bos=snakemake.params.bos)
    write_metrics(this.outputs["metrics"], metrics)
    HARNESS_ITEMS.write(this.outputs["samples"], items)
