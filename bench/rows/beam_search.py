"""Beam search with five beams: 500 inputs of the paraphrase test."""

from pathlib import Path
from typing import Any

from bench.harness import ROUNDS, Peer, Work, timed
from tuneatlas.models.load import load_model
from tuneatlas.studies.syntax.beam_search import by_transformers, generate
from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format
from tuneatlas.studies.syntax.paraphrasing.generate import inputs_of
from tuneatlas.studies.syntax.pretraining.vocabulary import decode
from tuneatlas.studies.syntax.tables import PARAPHRASES
from tuneatlas.training.seq2seq import encode_end

SENTENCES, BEAMS, NEW, LONGEST = 500, 5, 40, 256
FORMAT = "aesop_nooutputtree"
OPTIONS = {
    "beams": BEAMS,
    "length_penalty": 1.0,
    "min_length": 5,
    "no_repeat_ngram_size": 3,
    "search": "early",
    "max_new_tokens": NEW,
    "max_length": LONGEST,
    "batch_rows": 32,
}


def plain(model: Any, tokenizer: Any, inputs: list[str], size: int) -> list[str]:
    """``transformers.generate`` on batches of neighbours, as they come."""
    coded = [encode_end(tokenizer, text) for text in inputs]
    found = []
    for start in range(0, len(coded), size):
        rows = slice(start, start + size)
        found += by_transformers(model, tokenizer, coded[rows], OPTIONS, inputs[rows])
    return [decode(tokenizer, row) for row in found]


def work(results: Path) -> Work:
    """Each round writes another fifth of the sentences."""
    runs = (results / "finetune_paraphrase").glob(f"*/*/{FORMAT}/100/*/config.json")
    folder = min(runs).parent
    model, tokenizer = load_model(folder)
    rows = PARAPHRASES.read(results / "prepare_paraphrases" / "paraphrases.parquet")
    rows = [row for row in rows if row["split"] == "test"] + [
        r for r in rows if r["split"] == "dev"
    ]
    kind = read_format(FOLDER / f"{FORMAT}.yaml")
    inputs = inputs_of(kind, rows[:SENTENCES], 5)
    inputs = [text for text in inputs if len(encode_end(tokenizer, text)) <= LONGEST]
    part = len(inputs) // ROUNDS
    parts = [inputs[i * part : (i + 1) * part] for i in range(ROUNDS)]
    sizes = [8, 32, 100]
    best = min(sizes, key=lambda n: timed(lambda _: plain(model, tokenizer, inputs[:32], n), 0)[0])

    def same(ours: list[str], theirs: list[str]) -> str:
        different = sum(a != b for a, b in zip(ours, theirs, strict=True))
        assert not different, f"{different} of {len(ours)} outputs differ"
        return f"{len(ours)} outputs of a round identical"

    return Work(
        f"{BEAMS} beams, {len(inputs)} sentences, at most {NEW} new tokens",
        lambda i: generate(model, tokenizer, parts[i], OPTIONS),
        [
            Peer(
                f"transformers.generate, batch {best}",
                lambda i: plain(model, tokenizer, parts[i], best),
                1.8,
            )
        ],
        same,
        ["torch", "transformers", "ctranslate2"],
    )
