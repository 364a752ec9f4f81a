from tuneatlas.engine.step import step
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.studies.knowledge.evaluate import evaluate_tuned
from tuneatlas.tables import ANSWERS, QUESTIONS

with step(snakemake) as this:
    rows = evaluate_tuned(
        this.path("model"),
        [row for path in this.paths("questions") for row in QUESTIONS.read(path)],
        QuestionTemplate.load(this.path("template")),
        ChatTemplate.load(this.path("chat")),
        this.options,
        bos=snakemake.params.bos,
        parts=this.parts(),
    )
    ANSWERS.write(this.outputs["answers"], rows)
