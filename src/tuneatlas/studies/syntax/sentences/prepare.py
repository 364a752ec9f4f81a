"""The sentences of the syntax study and the pairs among them: Tatoeba's, or the user's own."""

from collections import Counter
from typing import Any

from tuneatlas.data.sources import read_record
from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.sentences import tatoeba
from tuneatlas.studies.syntax.sentences.pair_files import read_files
from tuneatlas.studies.syntax.tables import PAIRS, SENTENCES


def prepare_sentences(step: Step) -> dict[str, Any]:
    """Write the tables of sentences and of the pairs among them."""
    options = step.options
    if options["files"]["train"]:
        rows, given, left_out = read_files(options["files"], options["pairs"], options["sentences"])
        PAIRS.write(step.outputs["pairs"], rows)
        count = SENTENCES.write_stream(step.outputs["sentences"], given)
        splits = Counter(row["split"] for row in rows)
        return {"sentences": count, "pairs": dict(splits), "shared_between_splits": left_out}
    folder = step.path("tatoeba")
    found = list(tatoeba.read_translations(folder))
    sentences = tatoeba.sentence_rows(found, read_record(folder))
    lengths = options["min_words"], options["max_words"]
    pivots = tatoeba.pivot_pairs(found, *lengths, options["most_overlap"])
    rows = tatoeba.pair_rows(pivots, sentences, options["pairs"], step.rng("pairs"))
    count = options["sentences"]
    chosen = tatoeba.choose_sentences(sentences, rows, count, *lengths, step.rng("sentences"))
    PAIRS.write(step.outputs["pairs"], rows)
    SENTENCES.write(step.outputs["sentences"], chosen)
    splits = Counter(row["split"] for row in rows)
    return {"sentences": len(chosen), "possible_pairs": len(pivots), "pairs": dict(splits)}
