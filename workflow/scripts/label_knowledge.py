from tuneatlas.engine.step import step
from tuneatlas.studies.knowledge.label import label_questions
from tuneatlas.tables import ANSWERS, LABELS

with step(snakemake) as this:
    answers = [row for row in ANSWERS.read(this.path("answers")) if row["split"] == "train"]
    rows = label_questions(
        answers, **this.options, rng=this.rng("harmonious sample"), seed=this.base_seed
    )
    LABELS.write(this.outputs["labels"], rows)
