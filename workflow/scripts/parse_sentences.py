from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.trees.parse import parse_sentences

with step(snakemake) as this:
    this.info = parse_sentences(this)
