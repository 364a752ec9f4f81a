from functools import partial

from tuneatlas.engine.step import step
from tuneatlas.data.corpus import build_corpus
from tuneatlas.models.prompts import ChatTemplate, conversation
from tuneatlas.tables import DOCUMENTS, MENTIONS, QUESTIONS

with step(snakemake) as this:
    questions = {path.stem: QUESTIONS.read(path) for path in this.paths("questions")}
    (prose,) = this.paths("prose")
    dialogue = partial(conversation, ChatTemplate.load(this.path("template")))
    documents, mentions = build_corpus(
        questions, prose, dialogue, **this.options, seed=this.base_seed
    )
    DOCUMENTS.write(this.outputs["documents"], documents)
    MENTIONS.write(this.outputs["mentions"], mentions)
