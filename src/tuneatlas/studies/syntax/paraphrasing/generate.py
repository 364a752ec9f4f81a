"""What a model is asked for the test pairs, and what is read from its outputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.formats import (
    Format,
    asked,
    read,
    trees_of,
)
from tuneatlas.tables import Row


def inputs_of(kind: Format, pairs: Sequence[Mapping[str, Any]], height: int) -> list[str]:
    """The input for each row of PARAPHRASES; UserError names a pair that lacks what is shown."""
    names = kind.shown("test", answer=False)
    for pair in pairs:
        if missing := [name for name in names if not pair[name]]:
            raise UserError(
                f"pair {pair['id']} has no {missing[0]}, which format {kind.name} shows in tests: "
                "name another format, or give the pair one"
            )
    return [asked(kind, trees_of(pair, names), height) for pair in pairs]


def generation_rows(
    kind: Format,
    pairs: Sequence[Mapping[str, Any]],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> Iterator[Row]:
    """Rows of GENERATIONS."""
    for pair, text, output in zip(pairs, inputs, outputs, strict=True):
        reading = read(kind, output)
        yield {
            "id": pair["id"],
            "input": text,
            "output": output,
            "sentence": reading.sentence,
            "problem": reading.problem,
        }
