from tuneatlas.data.questions import by_id
from tuneatlas.engine.step import step
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.mix import mix_instructions
from tuneatlas.tables import CONVERSATIONS, EXPLANATIONS, KNOWLEDGE, LABELS, QUESTIONS

with step(snakemake) as this:
    own = EXPLANATIONS.read(this.path("explanations"))
    # Only where categories weigh differently are they an input.
    known = [row for path in this.paths("knowledge") for row in KNOWLEDGE.read(path)]
    rows = mix_instructions(
        LABELS.read(this.path("labels")),
        by_id(QUESTIONS.read(this.path("questions"))),
        {row["id"]: row["explanation"] for row in own},
        group=this.wildcards["group"],
        template=QuestionTemplate.load(this.path("template")),
        rng=this.shared_rng("model", "domain", "seed"),
        context=snakemake.params.context,
        weights={row["id"]: snakemake.params.weights[row["category"]] for row in known},
    )
    CONVERSATIONS.write(this.outputs["conversations"], rows)
