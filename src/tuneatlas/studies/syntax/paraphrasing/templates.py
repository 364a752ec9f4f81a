"""Which syntax a paraphrase is to have: shown without words (template) or with them (exemplar)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tuneatlas.studies.syntax.trees.linear import read_bracket
from tuneatlas.studies.syntax.trees.ted import Coded, Pool, code, coded_distance
from tuneatlas.studies.syntax.trees.trees import words


class Exemplar(NamedTuple):
    """A sentence of the wanted syntax: its id, its coded tree, and edits to it from the target."""

    id: str
    shape: Coded
    edits: int


def sentences_of(pairs: Iterable[Mapping[str, Any]]) -> set[str]:
    """Ids of the sentences of ``pairs``, their given templates among them."""
    sides = ("source_id", "target_id", "template_id")
    return {pair[side] for pair in pairs for side in sides if pair[side]}


def paraphrase_rows(
    pairs: Sequence[Mapping[str, Any]],
    parses: Mapping[str, str],
    *,
    height: int,
    pool: int,
    overlap: float,
    hard: float,
) -> list[dict[str, Any]]:
    """Rows of PARAPHRASES for the pairs all of whose sentences have a tree in ``parses`` (by id).

    A pair may name the sentence that is both its template and its exemplar. Otherwise the
    exemplar is a look-alike of the target: among the first ``pool`` training targets the one
    whose leafless tree, cut at ``height``, is nearest to the target's, that shares at most
    ``overlap`` of the target's words, and that is no sentence of the pair. In dev and test the
    template is its tree, and a pair without one is left out; in training the template is the
    target's own tree, and a pair without a look-alike has no exemplar. ``hard`` is the share of
    a split, farthest from source to template, that counts as hard.
    """
    usable = [pair for pair in pairs if sentences_of([pair]) <= parses.keys()]

    def coded(sentence: str) -> Coded:
        return code(parses[sentence], height)

    def vocabulary(sentence: str) -> frozenset[str]:
        return frozenset(w.lower() for w in words(read_bracket(parses[sentence], sentence)))

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
    for pair in usable:
        shape, named = coded(pair["target_id"]), pair["template_id"]
        exemplar = given(named, shape) if named else look_alike(pair, shape)
        own = pair["split"] == "train" and not named
        template = Exemplar(pair["target_id"], shape, 0) if own else exemplar
        if template is None:
            continue
        rows.append(
            {
                "id": pair["id"],
                "split": pair["split"],
                "source": parses[pair["source_id"]],
                "target": parses[pair["target_id"]],
                "template": parses[template.id],
                "template_id": template.id,
                "exemplar": exemplar and parses[exemplar.id],
                "exemplar_id": exemplar and exemplar.id,
                "exemplar_ted": exemplar and exemplar.edits,
                "source_ted": coded_distance(coded(pair["source_id"]), template.shape),
            }
        )
    return _mark_hard(rows, hard)


def _mark_hard(rows: list[dict[str, Any]], share: float) -> list[dict[str, Any]]:
    marked: set[str] = set()
    for split in ("dev", "train", "test"):
        here = sorted((r for r in rows if r["split"] == split), key=lambda r: -r["source_ted"])
        marked |= {row["id"] for row in here[: math.ceil(share * len(here))]}
    for row in rows:
        row["hard"] = row["id"] in marked
    return rows
