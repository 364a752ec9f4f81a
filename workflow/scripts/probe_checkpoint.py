from tuneatlas.engine.step import step
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.probe import probe_tests
from tuneatlas.tables import ANSWERS, QUESTIONS

with step(snakemake) as this:
    rows = probe_tests(
        this.path("model"),
        {path.stem: QUESTIONS.read(path) for path in this.paths("questions")},
        QuestionTemplate.load(this.path("template")),
        this.options,
        bos=snakemake.params.bos,
        splits=snakemake.params.splits,
        parts=this.parts(),
    )
    ANSWERS.write(this.outputs["answers"], rows)
