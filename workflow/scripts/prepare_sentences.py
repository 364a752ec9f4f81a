from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.sentences.prepare import prepare_sentences

with step(snakemake) as this:
    this.info = prepare_sentences(this)
