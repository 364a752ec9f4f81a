from tuneatlas.engine.step import step
from tuneatlas.data.questions import by_id
from tuneatlas.models.prompts import ExplainTemplate
from tuneatlas.studies.knowledge.explain import explain_predictions
from tuneatlas.studies.knowledge.words import to_explain
from tuneatlas.tables import EXPLANATIONS, LABELS, QUESTIONS

with step(snakemake) as this:
    labels = [row for path in this.paths("labels") for row in LABELS.read(path)]
    rows = explain_predictions(
        this.path("model"),
        by_id(QUESTIONS.read(this.path("questions"))),
        to_explain(labels, snakemake.params.group),
        ExplainTemplate.load(this.path("template")),
        this.options,
        bos=snakemake.params.bos,
        seed=this.seed,
        parts=this.parts(),
    )
    EXPLANATIONS.write(this.outputs["explanations"], rows)
