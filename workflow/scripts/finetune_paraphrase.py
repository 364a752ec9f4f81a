from tuneatlas.step import step
from tuneatlas.syntax.runs import finetune_paraphrase

with step(snakemake) as this:
    this.info = finetune_paraphrase(this)
