"""Write the paraphrase of every test pair."""

from typing import Any

from tuneatlas.engine.step import Step
from tuneatlas.studies.syntax.beam_search import cut_inputs, generate
from tuneatlas.studies.syntax.paraphrasing.formats import (
    fill,
    format_named,
    read,
    shape_of,
    shown,
    trees_of,
)
from tuneatlas.studies.syntax.tables import GENERATIONS, paraphrases
from tuneatlas.studies.syntax.train import open_model


def generate_paraphrases(step: Step) -> dict[str, Any]:
    """Write the paraphrase of every test pair."""
    model, tokenizer = open_model(step, place=True)
    shape, kind = shape_of(step), format_named(step.wildcards["format"])
    pairs = list(paraphrases(step.path("paraphrases"), "test"))
    inputs = [fill(kind, trees_of(row, shown(kind)), shape).input for row in pairs]
    outputs = generate(
        model, tokenizer, inputs, step.options, step.parts(), [pair["id"] for pair in pairs]
    )
    readings = [read(kind, output, shape) for output in outputs]
    GENERATIONS.write(
        step.outputs["generations"],
        (
            {
                "id": pair["id"],
                "input": text,
                "output": output,
                "sentence": reading.sentence,
                "problem": reading.problem,
            }
            for pair, text, output, reading in zip(pairs, inputs, outputs, readings, strict=True)
        ),
    )
    return {
        "paraphrases": len(pairs),
        "inputs_cut": cut_inputs(tokenizer, inputs, step.options),
        "of_another_form": sum(bool(r.problem) for r in readings),
    }
