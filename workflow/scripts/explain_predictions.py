from tuneatlas.explaining import explain_predictions
from tuneatlas.prompts import ExplainTemplate
from tuneatlas.questions import by_id
from tuneatlas.step import step
from tuneatlas.tables import EXPLANATIONS, LABELS, QUESTIONS

with step(snakemake) as this:
    rows = explain_predictions(
        this.path("model"),
        by_id(QUESTIONS.read(this.path("questions"))),
        LABELS.read(this.path("labels")),
        ExplainTemplate.load(this.path("template")),
        this.options,
        bos=snakemake.params.bos,
        seed=this.seed,
        parts=this.parts(),
    )
    EXPLANATIONS.write(this.outputs["explanations"], rows)
