from tuneatlas.step import step
from tuneatlas.syntax.runs import evaluate_tasks

with step(snakemake) as this:
    this.info = evaluate_tasks(this)
