"""Where tuning changed a model: its weights, and what it makes of questions, layer by layer."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from tuneatlas.engine.step import Step, progress
from tuneatlas.data.mentions import Mentions, facts_of
from tuneatlas.data.scopes import ALL
from tuneatlas.engine.resume import Parts
from tuneatlas.errors import UserError
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.encode import begins, encode
from tuneatlas.models.probed import read_prompts
from tuneatlas.studies.atlas.battery_map import read_battery
from tuneatlas.studies.atlas.recovery import kinds
from tuneatlas.studies.atlas.similarity import cka_values, linear_cka
from tuneatlas.studies.atlas.states import States, chosen_layers, depth_of, last_states
from tuneatlas.studies.atlas.tables import SIMILARITY, WEIGHT_CHANGES
from tuneatlas.studies.atlas.trainings import tuned_models
from tuneatlas.studies.atlas.weights import Weights, refuse_unlike, weights_of
from tuneatlas.tables import MENTIONS, QUESTIONS, Row

# Questions of a kind below which there is no comparing of what models make of them.
LEAST = 10


class Material(NamedTuple):
    """Questions with the prompts of the probe, by id, and ids by setting and kind.

    ``bos`` is as in `probe_base`.
    """

    rows: Sequence[Row]
    prompts: Mapping[str, str]
    kinds: Mapping[str, Mapping[str, Sequence[str]]]
    bos: bool | Mapping[str, bool]

    def begins(self, row: Row) -> bool:
        """Whether the prompt of a question begins with the begin token."""
        return begins(self.bos, row["role"])


def read_material(step: Step, bos: bool | Mapping[str, bool]) -> Material:
    """Of a step's inputs; of facts that are told of alone, as the option ``facts`` says."""
    mentions = {r["id"]: r["mentions"] for p in step.paths("mentions") for r in MENTIONS.read(p)}
    rows = [
        row
        for path in step.paths("questions")
        for row in QUESTIONS.read(path)
        if row["split"] == "test" and is_told(row, step.options["facts"], mentions)
    ]
    prompts = read_prompts(step.paths("answers"), rows, "atlas")
    (own,) = read_battery([step.path("battery")], []).values()
    told = {row["id"] for row in rows}
    found: dict[str, dict[str, list[str]]] = {}
    for setting in own.settings:
        for kind, (chosen,) in kinds(own.asked(setting)).items():
            ids = [row["id"] for row, is_so in zip(own.items, chosen, strict=True) if is_so]
            found.setdefault(setting, {})[kind] = [name for name in ids if name in told]
    return Material(rows, prompts, found, bos)


def is_told(row: Row, facts: str, mentions: Mentions) -> bool:
    """Whether a question is on facts that are told of."""
    return facts in (ALL, facts_of(row["id"], mentions))


def measure_changes(step: Step, *, bos: bool | Mapping[str, bool]) -> None:
    """Compare tuned models with their base; write ``weights`` and ``similarity``."""
    material, tuned = read_material(step, bos), tuned_models(step)
    weights, similarity = compare(
        step.path("base"), tuned, material, step.options, parts=step.parts()
    )
    WEIGHT_CHANGES.write(step.outputs["weights"], weights)
    SIMILARITY.write(step.outputs["similarity"], similarity)


def compare(
    base: Path,
    tuned: Mapping[str, Path],
    material: Material,
    options: Mapping[str, Any],
    *,
    parts: Parts | None = None,
) -> tuple[list[Row], list[Row]]:
    """Rows of WEIGHT_CHANGES and SIMILARITY of every tuned model.

    ``tuned``: folders by setting; ``options``: ``layers``, ``dtype``, ``batch_tokens``. UserError
    names a model whose depth is another, or that has fewer layers than asked for.
    """
    model, tokenizer = load_checkpoint(base, dtype=options["dtype"])
    texts = [
        encode(tokenizer, material.prompts[r["id"]], material.begins(r)) for r in material.rows
    ]
    before, places = weights_of(model), layers_of(model)
    kept = parts or Parts()
    weights: list[Row] = []
    similarity: list[Row] = []
    states: States | None = None
    for number, setting in enumerate(progress(tuned, len(tuned), "models compared")):

        def measure(setting: str = setting) -> tuple[list[Row], list[Row]]:
            nonlocal states
            other, _ = load_checkpoint(tuned[setting], dtype=options["dtype"])
            layers = chosen_layers(model, options["layers"], other, tuned[setting])
            after = weights_of(other)
            refuse_unlike(before, after, tuned[setting])
            how = (layers, options["batch_tokens"])
            states = last_states(model, texts, *how) if states is None else states
            own = last_states(other, texts, *how)
            of_kinds = material.kinds[setting]
            return (
                list(weight_rows(before, after, places)),
                list(similarity_rows(states, own, layers, material.rows, of_kinds)),
            )

        for rows, made in zip((weights, similarity), kept.of(number, measure), strict=True):
            rows += [{"setting": setting} | row for row in made]
    return weights, similarity


def layers_of(model: PreTrainedModel) -> dict[str, int]:
    """The layer of each weight by name: 0 embeddings, n block n, and one more what is behind.

    Raises UserError if the family keeps no list of its blocks.
    """
    depth = depth_of(model)
    lists = (
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth
    )
    stem = next(lists, None)
    if stem is None:
        raise UserError(
            f"models of family {model.config.model_type!r} have no list of {depth} blocks, so that "
            "it cannot be told where they changed: leave this model out of atlas"
        )
    embedded = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Embedding)
    }
    found = {}
    for name, _ in model.named_parameters():
        if name.startswith(f"{stem}."):
            found[name] = int(name.removeprefix(f"{stem}.").split(".")[0]) + 1
        else:
            found[name] = 0 if name in embedded else depth + 1
    return found


def weight_rows(base: Weights, tuned: Weights, layers: Mapping[str, int]) -> Iterator[Row]:
    """How far each matrix or vector moved: Frobenius norms of the base's and of the difference."""
    for name, before in base.items():
        one = before.double()
        yield {
            "name": name,
            "layer": layers[name],
            "numbers": one.numel(),
            "norm": float(one.norm()),
            "change": float((tuned[name].double() - one).norm()),
        }


def similarity_rows(
    base: States,
    tuned: States,
    layers: Sequence[int],
    rows: Sequence[Row],
    of_kinds: Mapping[str, Sequence[str]],
) -> Iterator[Row]:
    """A row for each question of each kind that has LEAST of them, in each layer."""
    places = {row["id"]: n for n, row in enumerate(rows)}
    for kind, ids in of_kinds.items():
        if len(ids) < LEAST:
            continue
        where = [places[name] for name in ids]
        for at, layer in enumerate(layers):
            sides = base[where, at], tuned[where, at]
            values, whole = cka_values(*sides), linear_cka(*sides)
            if not np.isfinite(values).all():
                continue  # all alike in one of the models: nothing to compare
            for name, value in zip(ids, values, strict=True):
                row = rows[places[name]]
                yield {
                    **{"kind": kind, "layer": layer, "id": name},
                    **{key: row[key] for key in ("domain", "role")},
                    **{"cka": whole, "value": float(value)},
                }
