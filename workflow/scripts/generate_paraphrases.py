from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.generate import generate_paraphrases

with step(snakemake) as this:
    this.info = generate_paraphrases(this)
