from tuneatlas.domains import count_unexplained, prepare_questions
from tuneatlas.step import step
from tuneatlas.tables import QUESTIONS

with step(snakemake) as this:
    rows = prepare_questions(
        this.wildcards["domain"],
        this.paths("packages") + this.paths("file"),
        this.options,
        mentioned_share=snakemake.params.mentioned_share,
        seed=this.base_seed,
    )
    this.info = count_unexplained(rows, this.options)
    QUESTIONS.write(this.outputs["questions"], rows)
