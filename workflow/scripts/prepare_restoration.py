import json

from tuneatlas.engine.step import step
from tuneatlas.studies.forgetting.prepare import prepare_restoration, read_documents
from tuneatlas.tables import DOCUMENTS, MENTIONS, QUESTIONS

with step(snakemake) as this:
    sources = [this.paths(name) for name in ("documents", "file", "prose")]
    result = prepare_restoration(
        {path.stem: QUESTIONS.read(path) for path in this.paths("questions")},
        {r["id"]: r["mentions"] for p in this.paths("mentions") for r in MENTIONS.read(p)},
        read_documents(*sources, this.options, this.base_seed),
        this.options,
        this.base_seed,
        tokens=snakemake.params.budget,
        tokenizer=this.path("model") / "tokenizer.json",
    )
    folder = this.outputs["folder"]
    QUESTIONS.write(folder / "questions.parquet", result.questions)
    DOCUMENTS.write(folder / "documents.parquet", result.documents)
    (folder / "overlap.json").write_text(json.dumps(result.overlap, indent=1) + "\n")
