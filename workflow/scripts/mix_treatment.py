from tuneatlas.engine.step import step
from tuneatlas.data.questions import by_id
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.mix import General, mix_instructions, unfinished
from tuneatlas.studies.knowledge.words import as_mixed, in_words
from tuneatlas.tables import CONVERSATIONS, EXPLANATIONS, KNOWLEDGE, LABELS, QUESTIONS

with step(snakemake) as this:
    own = [row for path in this.paths("explanations") for row in EXPLANATIONS.read(path)]
    words = {row["id"]: row["explanation"] for row in EXPLANATIONS.read(this.path("words"))}
    known = [row for path in this.paths("knowledge") for row in KNOWLEDGE.read(path)]
    questions = by_id(QUESTIONS.read(this.path("questions")))
    said = in_words(questions, {row["id"]: row["explanation"] for row in own}, words)
    rows = mix_instructions(
        [row for path in this.paths("labels") for row in LABELS.read(path)],
        *said,
        group=snakemake.params.group,
        template=QuestionTemplate.load(this.path("template")),
        rng=as_mixed(this),
        context=snakemake.params.context,
        weights={row["id"]: snakemake.params.weights[row["category"]] for row in known},
        leave_out=unfinished(own) if snakemake.params.unfinished == "leave_out" else (),
        general=General.of(this.paths("general"), snakemake.params.ratio, as_mixed(this)),
    )
    CONVERSATIONS.write(this.outputs["conversations"], rows)
