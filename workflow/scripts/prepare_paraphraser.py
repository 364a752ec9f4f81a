from tuneatlas.step import step
from tuneatlas.syntax.runs import prepare_paraphraser

with step(snakemake) as this:
    this.info = prepare_paraphraser(this)
