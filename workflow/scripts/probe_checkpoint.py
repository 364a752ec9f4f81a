from tuneatlas.engine.step import step
from tuneatlas.engine.scatter import shared
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.probe import probe_tests
from tuneatlas.tables import ANSWERS, QUESTIONS

with step(snakemake) as this:
    questions = {path.stem: QUESTIONS.read(path) for path in this.paths("questions")}
    template = QuestionTemplate.load(this.path("template"))
    asked = {"bos": snakemake.params.bos, "splits": snakemake.params.splits}
    folder = this.path("model")
    rows = shared(
        this,
        lambda parts: probe_tests(folder, questions, template, this.options, parts=parts, **asked),
    )
    ANSWERS.write(this.outputs["answers"], rows)
