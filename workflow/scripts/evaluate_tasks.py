from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.pretraining.evaluate import evaluate_tasks

with step(snakemake) as this:
    this.info = evaluate_tasks(this)
