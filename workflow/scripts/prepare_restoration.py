import json

from tuneatlas.restoration import check_budget, prepare_restoration, read_corpus, read_prose
from tuneatlas.step import step
from tuneatlas.tables import DOCUMENTS, MENTIONS, QUESTIONS

with step(snakemake) as this:
    documents = [row for path in this.paths("documents") for row in DOCUMENTS.read(path)]
    for path in this.paths("file"):
        documents += read_corpus(path, this.options, this.base_seed)
    for path in this.paths("prose"):
        documents += read_prose(path, this.options, this.base_seed)
    result = prepare_restoration(
        {path.stem: QUESTIONS.read(path) for path in this.paths("questions")},
        {r["id"]: r["mentions"] for p in this.paths("mentions") for r in MENTIONS.read(p)},
        documents,
        this.options,
        this.base_seed,
    )
    tokenizer = this.path("model") / "tokenizer.json"
    check_budget(result.documents, tokenizer, snakemake.params.budget)
    folder = this.outputs["folder"]
    QUESTIONS.write(folder / "questions.parquet", result.questions)
    DOCUMENTS.write(folder / "documents.parquet", result.documents)
    (folder / "overlap.json").write_text(json.dumps(result.overlap, indent=1) + "\n")
