from tuneatlas.step import step
from tuneatlas.syntax.compare import compare_paraphrases

with step(snakemake) as this:
    this.info = compare_paraphrases(this)
