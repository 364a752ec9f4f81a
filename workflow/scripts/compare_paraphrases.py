from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.compare import compare_paraphrases

with step(snakemake) as this:
    this.info = compare_paraphrases(this)
