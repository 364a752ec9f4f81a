from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.pretraining.build import build_tasks

with step(snakemake) as this:
    this.info = build_tasks(this)
