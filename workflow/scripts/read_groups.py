from pathlib import Path

from tuneatlas.engine.step import step
from tuneatlas.data.questions import by_id
from tuneatlas.models.prompts import ExplainTemplate
from tuneatlas.studies.knowledge.released import take_groups
from tuneatlas.tables import EXPLANATIONS, LABELS, QUESTIONS

with step(snakemake) as this:
    taken = take_groups(
        Path(snakemake.params.folder),
        snakemake.params.released,
        this.wildcards["domain"],
        by_id(QUESTIONS.read(this.path("questions"))),
        ExplainTemplate.load(this.path("template")),
    )
    this.info = taken.counts
    LABELS.write(this.outputs["labels"], taken.labels)
    EXPLANATIONS.write(this.outputs["explanations"], taken.explanations)
