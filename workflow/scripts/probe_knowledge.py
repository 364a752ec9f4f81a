from tuneatlas.answering import probe_base
from tuneatlas.prompts import QuestionTemplate
from tuneatlas.step import step
from tuneatlas.tables import ANSWERS, KNOWLEDGE, QUESTIONS

with step(snakemake) as this:
    probed = probe_base(
        this.path("model"),
        QUESTIONS.read(this.path("questions")),
        QuestionTemplate.load(this.path("template")),
        this.options,
        bos=snakemake.params.bos,
        parts=this.parts(),
    )
    ANSWERS.write(this.outputs["answers"], probed.answers)
    KNOWLEDGE.write(this.outputs["knowledge"], probed.knowledge)
