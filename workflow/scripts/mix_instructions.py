from tuneatlas.engine.step import step
from tuneatlas.data.questions import by_id
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.knowledge.mix import General, mix_instructions, unfinished
from tuneatlas.tables import CONTEXTS, CONVERSATIONS, EXPLANATIONS, KNOWLEDGE, LABELS, QUESTIONS

with step(snakemake) as this:
    own = [row for path in this.paths("explanations") for row in EXPLANATIONS.read(path)]
    # Inputs only where categories weigh differently, and where they are given.
    known = [row for path in this.paths("knowledge") for row in KNOWLEDGE.read(path)]
    contexts = [row for path in this.paths("contexts") for row in CONTEXTS.read(path)]
    by = "model", "domain", "seed"  # so that draws are the same in all groups
    rows = mix_instructions(
        [row for path in this.paths("labels") for row in LABELS.read(path)],
        by_id(QUESTIONS.read(this.path("questions"))),
        {row["id"]: row["explanation"] for row in own},
        group=this.wildcards["group"],
        template=QuestionTemplate.load(this.path("template")),
        rng=this.shared_rng(*by),
        context=snakemake.params.context,
        weights={row["id"]: snakemake.params.weights[row["category"]] for row in known},
        contexts={row["id"]: row["context"] for row in contexts},
        leave_out=unfinished(own) if snakemake.params.unfinished == "leave_out" else (),
        general=General.of(this.paths("general"), snakemake.params.ratio, this.shared_rng(*by)),
    )
    CONVERSATIONS.write(this.outputs["conversations"], rows)
