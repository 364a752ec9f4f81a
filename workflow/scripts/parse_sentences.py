from tuneatlas.step import step
from tuneatlas.syntax.steps import parse_sentences

with step(snakemake) as this:
    this.info = parse_sentences(this)
