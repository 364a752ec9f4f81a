from tuneatlas.step import step
from tuneatlas.syntax.steps import prepare_paraphrases

with step(snakemake) as this:
    this.info = prepare_paraphrases(this)
