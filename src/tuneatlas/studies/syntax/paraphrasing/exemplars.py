"""Which sentence has the syntax that a paraphrase is to have: a given one, or a look-alike."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.tables import sentences_of
from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.ted import Coded, Pool, code, coded_distance
from tuneatlas.studies.syntax.trees.trees import words
from tuneatlas.tables import Row


class Exemplar(NamedTuple):
    """A sentence of the wanted syntax: its id, its coded tree, and edits to it from the target."""

    id: str
    shape: Coded
    edits: int


def paraphrase_rows(
    pairs: Sequence[Mapping[str, Any]],
    parses: Mapping[str, str],
    *,
    height: int,
    pool: int,
    overlap: float,
    hard: float,
    long: float,
) -> list[Row]:
    """Rows of PARAPHRASES for the pairs all of whose sentences have a tree in ``parses`` (by id).

    A pair may name its exemplar. Otherwise that is a look-alike of the target: among the first
    ``pool`` training targets the one whose leafless tree, cut at ``height``, is nearest to the
    target's, that shares at most ``overlap`` of the target's words, and that is no sentence of
    the pair. In dev and test a pair without one is left out. ``hard`` is the share of a split,
    farthest from source to exemplar, that counts as hard; ``long`` the share with the longest
    sources.
    """
    usable = [pair for pair in pairs if sentences_of([pair]) <= parses.keys()]

    def coded(sentence: str) -> Coded:
        return code(parses[sentence], height)

    def said(sentence: str) -> list[str]:
        return words(read_bracket(parses[sentence], sentence))

    def vocabulary(sentence: str) -> frozenset[str]:
        return frozenset(word.lower() for word in said(sentence))

    targets = dict.fromkeys(p["target_id"] for p in usable if p["split"] == "train")
    look_alikes = list(targets)[:pool]
    vocabularies = [vocabulary(sentence) for sentence in look_alikes]
    search = Pool([coded(sentence) for sentence in look_alikes])

    def given(sentence: str, shape: Coded) -> Exemplar:
        found = coded(sentence)
        return Exemplar(sentence, found, coded_distance(shape, found))

    def look_alike(pair: Mapping[str, Any], shape: Coded) -> Exemplar | None:
        own, known = vocabulary(pair["target_id"]), {pair["source_id"], pair["target_id"]}
        most = overlap * len(own)
        found = search.nearest(
            shape,
            lambda at: look_alikes[at] not in known and len(vocabularies[at] & own) <= most,
        )
        return Exemplar(look_alikes[found[0]], search.trees[found[0]], found[1]) if found else None

    rows = []
    lengths = {}
    for pair in usable:
        shape, named = coded(pair["target_id"]), pair["template_id"]
        exemplar = given(named, shape) if named else look_alike(pair, shape)
        if exemplar is None and pair["split"] != "train":
            continue
        edits = exemplar and coded_distance(coded(pair["source_id"]), exemplar.shape)
        lengths[pair["id"]] = len(said(pair["source_id"]))
        rows.append(
            {
                "id": pair["id"],
                "split": pair["split"],
                "source": parses[pair["source_id"]],
                "target": parses[pair["target_id"]],
                "exemplar": exemplar and parses[exemplar.id],
                "exemplar_id": exemplar and exemplar.id,
                "exemplar_ted": exemplar and exemplar.edits,
                "source_ted": edits,
            }
        )
    far = _most(rows, hard, lambda row: row["source_ted"] or 0)
    longest = _most(rows, long, lambda row: lengths[row["id"]])
    return [{**row, "hard": row["id"] in far, "long": row["id"] in longest} for row in rows]


def refuse_none_left(pairs: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> None:
    """Refuse ``rows`` of ``pairs`` in which no pair of dev, or of test, is left to measure by."""
    for split in ("dev", "test"):
        if any(p["split"] == split for p in pairs) and not any(r["split"] == split for r in rows):
            raise UserError(
                f"prepare_paraphrases: no {split} pair is left: none has trees of both its "
                "sentences and a look-alike; give more pairs, name exemplars, or raise "
                "prepare_paraphrases.pool or overlap"
            )


def _most(rows: Sequence[Row], share: float, measure: Callable[[Row], int]) -> set[str]:
    """Ids of the ``share`` of each split, rounded up, that measures most."""
    found: set[str] = set()
    for split in ("dev", "train", "test"):
        here = sorted((r for r in rows if r["split"] == split), key=lambda r: -measure(r))
        found |= {row["id"] for row in here[: math.ceil(share * len(here))]}
    return found
