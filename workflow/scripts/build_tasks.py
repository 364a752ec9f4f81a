from tuneatlas.step import step
from tuneatlas.syntax.steps import build_tasks

with step(snakemake) as this:
    this.info = build_tasks(this)
