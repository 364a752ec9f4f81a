import json
from itertools import chain

from tuneatlas.restoration import (
    check_budget,
    prepare_restoration,
    read_corpus,
    read_prose,
    sample_documents,
)
from tuneatlas.step import step
from tuneatlas.tables import DOCUMENTS, MENTIONS, QUESTIONS

with step(snakemake) as this:
    budget = snakemake.params.budget
    corpus = chain(
        *(DOCUMENTS.stream(path) for path in this.paths("documents")),
        *(read_corpus(path, this.options, this.base_seed) for path in this.paths("file")),
        *(read_prose(path, this.options, this.base_seed) for path in this.paths("prose")),
    )
    result = prepare_restoration(
        {path.stem: QUESTIONS.read(path) for path in this.paths("questions")},
        {r["id"]: r["mentions"] for p in this.paths("mentions") for r in MENTIONS.read(p)},
        sample_documents(corpus, budget, this.base_seed),
        this.options,
        this.base_seed,
    )
    check_budget(result.documents, this.path("model") / "tokenizer.json", budget)
    folder = this.outputs["folder"]
    QUESTIONS.write(folder / "questions.parquet", result.questions)
    DOCUMENTS.write(folder / "documents.parquet", result.documents)
    (folder / "overlap.json").write_text(json.dumps(result.overlap, indent=1) + "\n")
