from tuneatlas.engine.step import step
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, KNOWLEDGE, QUESTIONS

with step(snakemake) as this:
    probed = probe_base(
        this.path("model"),
        QUESTIONS.read(this.path("questions")),
        QuestionTemplate.load(this.path("template")),
        this.options,
        bos=snakemake.params.bos,
        splits=snakemake.params.splits,
        parts=this.parts(),
    )
    ANSWERS.write(this.outputs["answers"], probed.answers)
    KNOWLEDGE.write(this.outputs["knowledge"], probed.knowledge)
