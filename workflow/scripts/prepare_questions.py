from tuneatlas.engine.step import step
from tuneatlas.data.domains import count_unexplained, prepare_counted
from tuneatlas.tables import CONTEXTS, QUESTIONS

with step(snakemake) as this:
    rows, counts, contexts = prepare_counted(
        this.wildcards["domain"],
        this.paths("packages") + this.paths("files"),
        this.options,
        earlier=snakemake.params.earlier,
        mentioned_share=snakemake.params.mentioned_share,
        seed=this.base_seed,
    )
    this.info = count_unexplained(rows, this.options) | counts
    QUESTIONS.write(this.outputs["questions"], rows)
    if "contexts" in this.outputs:
        CONTEXTS.write(this.outputs["contexts"], contexts)
