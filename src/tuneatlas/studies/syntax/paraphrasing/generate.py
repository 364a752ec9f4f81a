"""What a model is asked for the test pairs, and what is read from its outputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from tuneatlas.engine.step import Step
from tuneatlas.engine.resume import Parts
from tuneatlas.engine.scatter import refuse_needless
from tuneatlas.errors import UserError
from tuneatlas.models.asked import load_asked
from tuneatlas.studies.syntax.beam_search import cut_inputs, generate
from tuneatlas.studies.syntax.paraphrasing.formats import (
    Format,
    asked,
    read,
    read_format,
    trees_of,
)
from tuneatlas.studies.syntax.tables import paraphrases
from tuneatlas.tables import Row


def generated(step: Step, parts: Parts) -> tuple[list[Row], dict[str, int]]:
    """What a step's ``model`` writes for its test pairs, and figures for the record.

    Returns:
        Rows of GENERATIONS; none where others have a share of ``parts``.
    """
    pairs = list(paraphrases(step.path("paraphrases"), "test"))
    if shard := step.wildcards.get("scatteritem"):
        refuse_needless(shard, len(pairs), "test pairs", "generate_paraphrases.shards")
    torch.set_num_threads(max(1, step.threads // step.options.get("processes", 1)))
    model, tokenizer = load_asked(step.path("model"), "float32", parts)
    kind = read_format(step.paths("format")[0])
    search = step.options | {"never": kind.never}
    search["max_new_tokens"] = search["max_new_tokens"] or kind.longest
    inputs, names = inputs_of(kind, pairs, search["height"]), [pair["id"] for pair in pairs]
    outputs = generate(model, tokenizer, inputs, search, parts, names)
    rows = [] if parts.is_partial else list(generation_rows(kind, pairs, inputs, outputs))
    return rows, {
        "paraphrases": len(rows),
        "inputs_cut": cut_inputs(tokenizer, inputs, search),
        "of_another_form": sum(bool(row["problem"]) for row in rows),
    }


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
