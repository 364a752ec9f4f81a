from tuneatlas.answering import probe_base
from tuneatlas.prompts import QuestionTemplate
from tuneatlas.step import step
from tuneatlas.tables import ANSWERS, QUESTIONS

with step(snakemake) as this:
    rows = probe_base(
        this.path("model"),
        QUESTIONS.read(this.path("questions")),
        QuestionTemplate.load(this.path("template")),
        this.options,
        bos=snakemake.params.bos,
        parts=this.parts(),
    )
    ANSWERS.write(this.outputs["answers"], rows)
