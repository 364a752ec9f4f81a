from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.score import score_paraphrases

with step(snakemake) as this:
    this.info = score_paraphrases(this, snakemake.params.parsing)
