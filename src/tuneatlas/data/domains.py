"""A domain's questions: from built-in facts, published sets, or the user's own file."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.benchmark_questions import benchmark_questions, related_questions
from tuneatlas.data.duplicates import Key, index, settle_repeated
from tuneatlas.data.fact_questions import build_questions
from tuneatlas.data.questions import read_questions, stock_explanation
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

log = logging.getLogger(__name__)

# role, split, and the limit that bounds it
PARTS = (
    ("home", "dev", "dev"),
    ("home", "train", "train"),
    ("home", "test", "test"),
    ("related", "dev", "related_dev"),
    ("related", "test", "related_test"),
)


class Prepared(NamedTuple):
    """Rows of the questions table for one domain, and counts for the record."""

    rows: list[Row]
    counts: dict[str, Any]


def prepare_counted(
    domain: str,
    sources: Sequence[Path],
    options: Mapping[str, Any],
    *,
    mentioned_share: float,
    seed: int,
    earlier: Mapping[str, Mapping[str, Any]] | None = None,
) -> Prepared:
    """The questions of one domain, without those that are asked twice, if it says to drop them.

    Args:
        domain: its key in the config.
        sources: folders of fetched packages, and last the question file, if it has one.
        options: its entry in the config.
        mentioned_share: share of built-in facts that the corpus will state.
        seed: the experiment's seed.
        earlier: entries of the domains whose questions are none of this one's; ``sources`` has
            the packages that they are made of.
    """
    others: dict[Key, Row] = {}
    for name, entry in (earlier or {}).items():
        files = [Path(entry["path"])] if entry["source"] == "file" else []
        found = prepare_one(name, [*sources, *files], entry, others, mentioned_share, seed)
        others = index(found.rows) | others
    return prepare_one(domain, sources, options, others, mentioned_share, seed)


def prepare_one(
    domain: str,
    sources: Sequence[Path],
    options: Mapping[str, Any],
    others: Mapping[Key, Row],
    mentioned_share: float,
    seed: int,
) -> Prepared:
    """`prepare_counted`, with the questions of earlier domains (``others``, an ``index``) given."""
    limits = options["limits"]
    folders = {path.name: path for path in sources}
    if options["source"] == "facts":
        # Each asks about another subject, and no other domain has them.
        limited = {**limits, "mentioned_share": mentioned_share, "seed": seed}
        return Prepared(build_questions(domain, folders, **limited), {})
    if options["source"] == "benchmark":
        rows = benchmark_questions(domain, folders, options, seed)
        return _settled(domain, rows, others, options)

    def related(own: Sequence[Row]) -> list[Row]:
        return related_to(domain, folders, options, own, seed)

    found = prepare_own(domain, sources[-1], options, others, related)
    rows = [row for part in PARTS for row in _limited(domain, found.rows, limits, *part)]
    return Prepared(rows, found.counts)


def prepare_own(
    domain: str,
    path: Path,
    options: Mapping[str, Any],
    others: Mapping[Key, Row],
    related: Callable[[Sequence[Row]], list[Row]] = lambda own: [],
) -> Prepared:
    """All questions of a file, and those that ``related`` adds to them, repetitions settled.

    What can be said before anything is fetched: without ``related``.
    """
    own, extra, places = read_questions(path, domain, options)
    rows = [{**row, "licence": options["licence"]} for row in own]
    return _settled(domain, [*rows, *related(rows)], others, options, extra, places)


def _settled(
    domain: str,
    rows: Sequence[Row],
    others: Mapping[Key, Row],
    options: Mapping[str, Any],
    extra: Sequence[str] = (),
    places: Mapping[str, str] | None = None,
) -> Prepared:
    policy = options.get("duplicates", "refuse")
    kept, repeated = settle_repeated(domain, rows, others, policy, places or {})
    if extra:
        log.info("domain %s: columns without a meaning here: %s", domain, ", ".join(extra))
    counts = {"duplicates": repeated, "other_columns": list(extra)}
    return Prepared(kept, {key: value for key, value in counts.items() if value})


def related_to(
    domain: str,
    folders: Mapping[str, Path],
    options: Mapping[str, Any],
    rows: Sequence[Row],
    seed: int,
) -> list[Row]:
    """Questions of the sets under ``related``, as many as a file leaves room for."""
    own = Counter(row["split"] for row in rows if row["role"] == "related")
    lacking = {
        f"related_{split}": limit and max(0, limit - own[split])
        for split in ("dev", "test")
        for limit in (options["limits"][f"related_{split}"],)
    }
    return related_questions(domain, folders, {**options, "limits": lacking}, seed)


def count_unexplained(rows: Sequence[Row], options: Mapping[str, Any]) -> dict[str, int]:
    """Training questions without a reference explanation; a warning if there are any.

    Nothing of a domain that is not tuned on. ``options`` is its entry in the config.
    """
    if not options["tune"]:
        return {}
    train = [row for row in rows if row["split"] == "train"]
    stock = [r for r in train if r["explanation"] == stock_explanation(r["choices"], r["answer"])]
    if stock:
        log.warning(
            "%d of %d training questions have no explanation: right labels are then trained on "
            "with 'The right answer is …', the model's own with an explanation, so that groups "
            "differ in more than their labels; give the questions explanations",
            len(stock),
            len(train),
        )
    return {"unexplained": len(stock)}


def _limited(
    domain: str, rows: Sequence[Row], limits: Mapping[str, Any], role: str, split: str, limit: str
) -> list[Row]:
    """The first ``limits[limit]`` rows of a part, which must be there unless it is empty."""
    found = [r for r in rows if r["role"] == role and r["split"] == split]
    wanted = limits[limit]
    if wanted is not None and 0 < len(found) < wanted:
        raise UserError(
            f"domains.{domain}.limits.{limit}: {wanted} {role} {split} questions asked for, but "
            f"the file has {len(found)}; lower the limit or add questions"
        )
    return found[:wanted]
