from tuneatlas.data.corpus import build_corpus
from tuneatlas.engine.step import step
from tuneatlas.tables import DOCUMENTS, MENTIONS, QUESTIONS

with step(snakemake) as this:
    questions = {path.stem: QUESTIONS.read(path) for path in this.paths("questions")}
    (prose,) = this.paths("prose")
    documents, mentions = build_corpus(questions, prose, **this.options, seed=this.base_seed)
    DOCUMENTS.write(this.outputs["documents"], documents)
    MENTIONS.write(this.outputs["mentions"], mentions)
