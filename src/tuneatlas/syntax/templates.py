"""Which syntax a paraphrase is to have: shown without words (template) or with them (exemplar)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuneatlas.syntax.linear import read_bracket
from tuneatlas.syntax.ted import Coded, Coder, Pool, coded_distance
from tuneatlas.syntax.trees import Tree, leafless, words

SIDES = ("source_id", "target_id", "template_id")


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
    usable = [p for p in pairs if all(p[side] in parses for side in SIDES if p[side])]
    coder = Coder()

    def read(sentence: str) -> Tree:
        return read_bracket(parses[sentence], sentence)

    def code(tree: Tree) -> Coded:
        return coder(leafless(tree, height))

    targets = dict.fromkeys(p["target_id"] for p in usable if p["split"] == "train")
    look_alikes = list(targets)[:pool]
    candidates = [read(sentence) for sentence in look_alikes]
    vocabularies = [_vocabulary(tree) for tree in candidates]
    search = Pool([code(tree) for tree in candidates])

    def look_alike(pair: Mapping[str, Any], target: Tree) -> tuple[str | None, int | None]:
        own, known = _vocabulary(target), {pair["source_id"], pair["target_id"]}
        most = overlap * len(own)
        found = search.nearest(
            code(target),
            lambda at: look_alikes[at] not in known and len(vocabularies[at] & own) <= most,
        )
        return (look_alikes[found[0]], found[1]) if found else (None, None)

    rows = []
    for pair in usable:
        source, target = read(pair["source_id"]), read(pair["target_id"])
        exemplar, edits = pair["template_id"], None
        if exemplar:
            edits = coded_distance(code(target), code(read(exemplar)))
        else:
            exemplar, edits = look_alike(pair, target)
        own = pair["split"] == "train" and not pair["template_id"]
        template = pair["target_id"] if own else exemplar
        if template is None:
            continue
        rows.append(
            {
                "id": pair["id"],
                "split": pair["split"],
                "source": parses[pair["source_id"]],
                "target": parses[pair["target_id"]],
                "template": parses[template],
                "template_id": template,
                "exemplar": exemplar and parses[exemplar],
                "exemplar_id": exemplar,
                "exemplar_ted": edits,
                "source_ted": coded_distance(code(source), code(read(template))),
            }
        )
    return _mark_hard(rows, hard)


def _vocabulary(tree: Tree) -> frozenset[str]:
    return frozenset(word.lower() for word in words(tree))


def _mark_hard(rows: list[dict[str, Any]], share: float) -> list[dict[str, Any]]:
    marked: set[str] = set()
    for split in ("dev", "train", "test"):
        here = sorted((r for r in rows if r["split"] == split), key=lambda r: -r["source_ted"])
        marked |= {row["id"] for row in here[: math.ceil(share * len(here))]}
    for row in rows:
        row["hard"] = row["id"] in marked
    return rows
