"""Which syntax a paraphrase is to have: its own when training, a look-alike's when testing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuneatlas.syntax.linear import read_bracket
from tuneatlas.syntax.ted import Coder, coded_distance, nearest
from tuneatlas.syntax.trees import leafless, words


def paraphrase_rows(
    pairs: Sequence[Mapping[str, Any]],
    parses: Mapping[str, str],
    *,
    height: int,
    pool: int,
    overlap: float,
    hard: float,
) -> list[dict[str, Any]]:
    """Rows of PARAPHRASES for the pairs whose two sentences have a tree in ``parses`` (by id).

    A pair may name its template's sentence. Otherwise a training pair has its target's own tree
    as the template, and in dev and test it is the tree of another sentence: among the first
    ``pool`` training targets the one whose leafless tree, cut at ``height``, is nearest to the
    target's, and that shares at most ``overlap`` of the target's words. ``hard`` is the share
    of a split, farthest from source to template, that counts as hard.
    """
    usable = [p for p in pairs if p["source_id"] in parses and p["target_id"] in parses]
    coder = Coder()
    usable = [p for p in usable if p["template_id"] is None or p["template_id"] in parses]
    sides = ("source_id", "target_id", "template_id")
    trees = {i: read_bracket(parses[i], i) for p in usable for i in (p[s] for s in sides) if i}
    coded = {i: coder(leafless(tree, height)) for i, tree in trees.items()}
    vocabulary = {i: {w.lower() for w in words(tree)} for i, tree in trees.items()}
    look_alikes = list(dict.fromkeys(p["target_id"] for p in usable if p["split"] == "train"))[
        :pool
    ]
    rows = []
    for pair in usable:
        source, target = pair["source_id"], pair["target_id"]
        template = pair["template_id"] or target
        if pair["split"] != "train" and not pair["template_id"]:
            own = vocabulary[target]
            allowed = [len(vocabulary[i] & own) <= overlap * len(own) for i in look_alikes]
            found = nearest(coded[target], [coded[i] for i in look_alikes], allowed)
            if found is None:
                continue
            template = look_alikes[found[0]]
        rows.append(
            {
                "id": pair["id"],
                "split": pair["split"],
                "source": parses[source],
                "target": parses[target],
                "template": parses[template],
                "template_id": template,
                "template_ted": coded_distance(coded[target], coded[template]),
                "source_ted": coded_distance(coded[source], coded[template]),
            }
        )
    return _mark_hard(rows, hard)


def _mark_hard(rows: list[dict[str, Any]], share: float) -> list[dict[str, Any]]:
    marked: set[str] = set()
    for split in ("dev", "train", "test"):
        here = sorted((r for r in rows if r["split"] == split), key=lambda r: -r["source_ted"])
        marked |= {row["id"] for row in here[: math.ceil(share * len(here))]}
    return [{**row, "hard": row["id"] in marked} for row in rows]
