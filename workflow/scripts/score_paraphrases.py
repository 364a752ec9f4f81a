from tuneatlas.step import step
from tuneatlas.syntax.scoring import score_paraphrases

with step(snakemake) as this:
    this.info = score_paraphrases(this, snakemake.params.parsing)
