from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.finetune import finetune_paraphrase

with step(snakemake) as this:
    this.info = finetune_paraphrase(this)
