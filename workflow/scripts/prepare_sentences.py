from tuneatlas.step import step
from tuneatlas.syntax.steps import prepare_sentences

with step(snakemake) as this:
    this.info = prepare_sentences(this)
