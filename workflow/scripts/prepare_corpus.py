from tuneatlas.corpus import build_corpus
from tuneatlas.step import step
from tuneatlas.tables import DOCUMENTS, MENTIONS, QUESTIONS

with step(snakemake) as this:
    questions = {path.stem: QUESTIONS.read(path) for path in this.paths("questions")}
    (prose,) = this.paths("prose")
    o = this.options
    documents, mentions = build_corpus(
        questions,
        prose,
        mentioned=o["mentioned_share"],
        fewest=o["mentions_min"],
        most=o["mentions_max"],
        restore=o["restore_share"],
        heldout=o["heldout_share"],
        prose_share=o["prose_share"],
        seed=this.base_seed,
    )
    DOCUMENTS.write(this.outputs["documents"], documents)
    MENTIONS.write(this.outputs["mentions"], mentions)
