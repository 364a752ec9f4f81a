from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.prepare import prepare_paraphrases

with step(snakemake) as this:
    this.info = prepare_paraphrases(this)
