"""What lm-evaluation-harness asked of each item of its tasks, and what came of it, as a table."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import pyarrow as pa

from tuneatlas.tables import TEXT, Column, Row, Table

# Letters of the digest of an item's content that are part of its id.
DIGEST = 16

HARNESS_ITEMS = Table(
    "harness_items",
    (
        Column("id", TEXT, "task, and a digest of the item's content"),
        Column("task", TEXT, "task of lm-evaluation-harness"),
        Column("filter", TEXT, "how answers are read before they are scored; none: as they are"),
        Column("metric", TEXT, "metric of the task"),
        Column(
            "value",
            pa.float64(),
            "the item's value; null where only all items together have one",
            "as the metric",
            nullable=True,
        ),
        Column("prompt", TEXT, "the prompt exactly as sent, before what is scored or written"),
        Column("answers", pa.list_(TEXT), "texts that were scored, or what the model wrote"),
        Column(
            "scores",
            pa.list_(pa.float64()),
            "log-likelihood of each text; none where the model wrote them",
            "nat",
        ),
        Column("target", TEXT, "the right answer, as the task states it"),
    ),
    key=("id", "filter", "metric"),
)


def item_rows(samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Row]:
    """HARNESS_ITEMS rows of what the library logs of each task: a row per item and metric."""
    for task, found in samples.items():
        names = _names(task, found)
        for sample in found:
            prompt, texts = _asked(sample["arguments"])
            given = [_score(response) for response in sample["filtered_resps"]]
            scores = [score for score in given if score is not None]
            scored = len(scores) == len(texts) > 0
            row = {
                "id": names[sample["doc_id"]],
                "task": task,
                "filter": str(sample["filter"]),
                "prompt": prompt,
                "answers": texts if scored else list(map(str, sample["filtered_resps"])),
                "scores": scores if scored else [],
                "target": str(sample["target"]),
            }
            for metric in sample["metrics"]:
                yield {**row, "metric": metric, "value": _number(sample[metric])}


def _names(task: str, samples: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The id of each item, by its number; a content that a task has again is numbered."""
    digests = {sample["doc_id"]: sample["doc_hash"][:DIGEST] for sample in samples}
    seen: Counter[str] = Counter()
    found = {}
    for number, digest in sorted(digests.items()):
        seen[digest] += 1
        again = f"-{seen[digest]}" if seen[digest] > 1 else ""
        found[number] = f"{task}/{digest}{again}"
    return found


def _asked(arguments: Sequence[Sequence[Any]]) -> tuple[str, list[str]]:
    """What all requests of an item begin with, and how each goes on, where it is scored.

    A request is a context and what is scored after it; a prompt with settings of generation; or a
    text that is scored whole.
    """
    if all(len(request) == 1 for request in arguments):
        return "", [str(request[0]) for request in arguments]
    contexts = [str(request[0]) for request in arguments]
    # Some metrics score answers without any context, too.
    kept = [context for context in contexts if context]
    first, last = min(kept, default=""), max(kept, default="")
    pairs = enumerate(zip(first, last, strict=False))
    shared = first[: next((n for n, (one, other) in pairs if one != other), len(first))]
    texts = [
        context[len(shared) :] + request[1]
        for context, request in zip(contexts, arguments, strict=True)
        if len(request) > 1 and isinstance(request[1], str)
    ]
    return shared, texts


def _score(response: Any) -> float | None:
    """A log-likelihood, alone or with whether the text is the likeliest; None of what is text."""
    value = response[0] if isinstance(response, list | tuple) and response else response
    return float(value) if isinstance(value, Real) else None


def _number(value: Any) -> float | None:
    value = value.item() if hasattr(value, "item") else value
    return float(value) if isinstance(value, Real) and math.isfinite(value) else None
