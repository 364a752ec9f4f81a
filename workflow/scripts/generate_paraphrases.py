from tuneatlas.step import step
from tuneatlas.syntax.runs import generate_paraphrases

with step(snakemake) as this:
    this.info = generate_paraphrases(this)
