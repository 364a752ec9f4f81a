"""Test pairs as any system has them: of the workflow's table, or of files of plain sentences."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.normal_form import comparison_key, one_line
from tuneatlas.data.text_files import read_lines
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.exemplars import paraphrase_rows
from tuneatlas.studies.syntax.sentences.pair_files import Found, Pair, read_numbered
from tuneatlas.studies.syntax.sentences.parse_files import beside_pairs, parses_of
from tuneatlas.studies.syntax.tables import paraphrases
from tuneatlas.studies.syntax.trees.parsing import Parsed
from tuneatlas.tables import Row

# Sentences to what came of them.
ParseAll = Callable[[Sequence[str]], list[Parsed]]


class GivenPairs(NamedTuple):
    """All pairs that a system was asked, and those of them that have trees, by id.

    ``rows`` are of PARAPHRASES; ``exemplar`` may be null. ``left_out`` says of a pair without a
    tree of its source, target or exemplar why there is none.
    """

    ids: list[str]
    rows: dict[str, Row]
    left_out: dict[str, str]


def workflow_pairs(path: Path) -> GivenPairs:
    """The test pairs of the workflow's own table."""
    rows = {row["id"]: row for row in paraphrases(path, "test")}
    if not rows:
        raise UserError(f"{path}: holds no test pairs")
    return GivenPairs(list(rows), rows, {})


def pairs_of_files(path: Path, references: Path | None = None) -> list[Found]:
    """The pairs of a file; with ``references``, a file of sources and one of references."""
    if references is None:
        return list(read_numbered(path))
    sources, targets = _lines(path), _lines(references)
    if len(sources) != len(targets):
        raise UserError(
            f"{references}: {len(targets)} references for {len(sources)} sources in {path}"
        )
    found = []
    for (line, source), (other, target) in zip(sources, targets, strict=True):
        for where, number, text in ((path, line, source), (references, other, target)):
            if not comparison_key(text):
                raise UserError(f"{where}, line {number}: no sentence")
        found.append(Found(line, Pair(source, target, None)))
    return found


def _lines(path: Path) -> list[tuple[int, str]]:
    return [(number, one_line(line)) for number, line in read_lines(path)]


def _exemplars(path: Path, pairs: int) -> list[tuple[int, str]]:
    texts = _lines(path)
    if len(texts) != pairs:
        raise UserError(f"{path}: {len(texts)} exemplars for {pairs} pairs")
    return texts


def with_exemplars(pairs: Sequence[Found], path: Path) -> list[Found]:
    """The pairs with the sentences of a file, one a line, as exemplars; an empty line is none."""
    texts = _exemplars(path, len(pairs))
    return [
        found._replace(pair=found.pair._replace(template=text if comparison_key(text) else None))
        for found, (_, text) in zip(pairs, texts, strict=True)
    ]


def other_exemplars(given: GivenPairs, path: Path, parse: ParseAll) -> GivenPairs:
    """The workflow's pairs with other exemplars: the sentences of a file, one a line."""
    texts = _exemplars(path, len(given.ids))
    rows, left_out = dict(given.rows), dict[str, str]()
    found = parse([text for _, text in texts])
    for key, parsed, (line, _) in zip(given.ids, found, texts, strict=True):
        if parsed.tree is None:
            left_out[key] = f"exemplar: {parsed.reason}"
            del rows[key]
        else:
            rows[key] = rows[key] | {"exemplar": parsed.tree, "exemplar_id": f"{path.name}/{line}"}
    return GivenPairs(given.ids, rows, left_out)


def plain_pairs(
    pairs: Sequence[Found],
    trees: Mapping[str, Parsed],
    parse: ParseAll,
    options: Mapping[str, Any],
) -> GivenPairs:
    """Pairs of plain sentences, with the trees given of some, and the others parsed.

    ``options``: of the step prepare_paraphrases.
    """
    texts = list(dict.fromkeys(text for found in pairs for text in found.pair if text))
    rest = [text for text in texts if text not in trees]
    parsed = dict(trees) | dict(zip(rest, parse(rest) if rest else [], strict=True))
    rows: list[Row] = [
        {"id": f"test/{found.line}", "split": "train"}
        | {f"{name}_id": text for name, text in found.pair._asdict().items()}
        for found in pairs
    ]
    left_out: dict[str, str] = {}
    for row in rows:
        for name in ("source", "target", "template"):
            text = row[f"{name}_id"]
            if text and parsed[text].tree is None:
                left_out.setdefault(row["id"], f"{name}: {parsed[text].reason}")
    usable = {text: found.tree for text, found in parsed.items() if found.tree}
    # Without a pool no look-alike is found: an exemplar is one that is named, or there is none.
    made = paraphrase_rows(rows, usable, **{**options, "pool": 0})
    return GivenPairs(
        [row["id"] for row in rows], {row["id"]: row | {"split": "test"} for row in made}, left_out
    )


def given_trees(path: Path, parses: Path, max_words: int) -> dict[str, Parsed]:
    """What the parses beside a file of pairs say of its sentences."""
    given = list(beside_pairs(path, parses))
    return parses_of({one.sentence for one in given}, given, max_words)
