"""A domain's questions: from built-in facts, published sets, or the user's own file."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneatlas.benchmark_questions import benchmark_questions, related_questions
from tuneatlas.errors import UserError
from tuneatlas.questions import build_questions, read_question_file, stock_explanation
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


def prepare_questions(
    domain: str,
    sources: Sequence[Path],
    options: Mapping[str, Any],
    *,
    mentioned_share: float,
    seed: int,
) -> list[Row]:
    """Rows of the questions table for one domain.

    Args:
        domain: its key in the config.
        sources: folders of fetched packages, and last the question file, if it has one.
        options: its entry in the config.
        mentioned_share: share of built-in facts that the corpus will state.
        seed: the experiment's seed.
    """
    limits = options["limits"]
    folders = {path.name: path for path in sources}
    if options["source"] == "benchmark":
        return benchmark_questions(domain, folders, options, seed)
    if options["source"] == "facts":
        return build_questions(
            domain, folders, **limits, mentioned_share=mentioned_share, seed=seed
        )
    rows = [
        {**row, "licence": options["licence"]} for row in read_question_file(sources[-1], domain)
    ]
    # The limits are of file and sets together.
    own = Counter(row["split"] for row in rows if row["role"] == "related")
    lacking = {
        f"related_{split}": limit and max(0, limit - own[split])
        for split in ("dev", "test")
        for limit in (limits[f"related_{split}"],)
    }
    rows += related_questions(domain, folders, {**options, "limits": lacking}, seed)
    return [row for part in PARTS for row in _limited(domain, rows, limits, *part)]


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
