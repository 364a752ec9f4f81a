"""A value per item from the tables that the numbers of the report are made of.

A column belongs to an output and has a name; what it holds is read from rows again, not from
what the report's own steps had in memory.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tuneatlas.audit.harness_numbers import column_of
from tuneatlas.audit.lineage import Results, is_labels
from tuneatlas.audit.query import rows_of
from tuneatlas.data.scopes import GIVEN
from tuneatlas.statistics.bootstrap import Floats
from tuneatlas.statistics.correlation import rank_correlation
from tuneatlas.statistics.divergence import EPSILON, kl_divergence
from tuneatlas.studies.atlas.battery_map import read_battery
from tuneatlas.studies.atlas.recovery import indicators
from tuneatlas.studies.atlas.tables import point_name
from tuneatlas.studies.atlas.trainings import training_of
from tuneatlas.studies.forgetting.fates import fate_indicators, knowledge_indicators
from tuneatlas.studies.forgetting.tables import stage_name
from tuneatlas.tables import DOCUMENT_KINDS, GROUPS, Row

Column = dict[str, float]
# The kinds of text that a measure of the forgetting study is about.
TEXT_KINDS = {
    "heldout_bits": DOCUMENT_KINDS,
    **{f"{kind}_bits": (kind,) for kind in (*DOCUMENT_KINDS, "instruction")},
}


@dataclass
class Columns:
    """The columns of a results folder; what many outputs are compared with is read once."""

    results: Results
    _read: dict[str, dict[str, Column]] = field(default_factory=dict)
    _probs: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    _answers: dict[str, dict[str, int]] = field(default_factory=dict)

    def column(self, output: str, name: str) -> Column:
        """Value by item id; empty if the output has no such column. The output is kept in mind."""
        if output not in self._read:
            self._read[output] = self.of(output)
        return self._read[output].get(name, {})

    def of(self, output: str) -> dict[str, Column]:
        """All columns of one output, read now."""
        record = self.results.records[output]
        make = MAKERS.get(record["step"])
        return make(self, output, record["wildcards"]) if make else {}

    def base_probs(self, model: str) -> dict[str, list[float]]:
        """The base model's probabilities of the options, by question."""
        if model not in self._probs:
            self._probs[model] = {
                i: probs
                for name, record in self.results.probes().items()
                if record["wildcards"]["model"] == model
                for i, probs in rows_of(self.results, name, "id", "probs")
            }
        return self._probs[model]

    def base_answers(self, model: str) -> dict[str, int]:
        """The base model's answers: the same under every seed, so those of the first are read."""
        if model not in self._answers:
            names = {
                int(record["wildcards"]["seed"]): name
                for name, record in self.results.of_step("evaluate_base").items()
                if record["wildcards"]["model"] == model and name.endswith(".answers.parquet")
            }
            cells = _answers(self.results, names[min(names)])[0] if names else {}
            self._answers[model] = cells.get("base/0/0", {})
        return self._answers[model]


def _probed(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    rows = rows_of(columns.results, output, "id", "correct")
    return {"correct": {i: float(c) for i, c in rows}}


def _labelled(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    if not is_labels(output):
        return {}
    rows = rows_of(columns.results, output, "id", "group")
    return {g: {i: 1.0 for i, group in rows if group == g} for g in GROUPS}


def _tuned(columns: Columns, output: str, wildcards: Mapping[str, str]) -> dict[str, Column]:
    results, model = columns.results, wildcards["model"]
    base = columns.base_probs(model)
    # Several comparisons, of a replicate and of all, are made in one way.
    steps = ("compare_groups", "compare_checkpoints")
    comparisons = [made for step in steps for made in results.of_step(step).values()]
    compared: Row = next((made for made in comparisons if output in made["inputs"]), {})
    how = compared.get("options", {})
    epsilon, ranks = how.get("epsilon", EPSILON), how.get("ranks", "mean")
    rows = rows_of(results, output, "id", "correct", "probs")
    found: dict[str, Column] = {
        "correct": {i: float(c) for i, c, _ in rows},
        "kl": {},
        "consistency": {},
    }
    measures: dict[str, Callable[[Floats, Floats], Floats]] = {
        "kl": lambda before, after: kl_divergence(before, after, epsilon),
        "consistency": lambda before, after: rank_correlation(before, after, ranks=ranks),
    }
    for width in sorted({len(probs) for _, _, probs in rows}):
        part = [(i, p) for i, _, p in rows if len(p) == width and len(base.get(i, ())) == width]
        if part:
            before = np.array([base[i] for i, _ in part])
            after = np.array([p for _, p in part])
            for name, measure in measures.items():
                values = measure(before, after)
                found[name] |= {i: float(v) for (i, _), v in zip(part, values, strict=True)}
    return found


def _stages(columns: Columns, output: str, wildcards: Mapping[str, str]) -> dict[str, Column]:
    if output.endswith(".texts.parquet"):
        return _texts(columns.results, output)
    cells, answers, options = _answers(columns.results, output)
    found = {
        f"{cell}:correct": {i: float(p == answers[i]) for i, p in by_id.items()}
        for cell, by_id in cells.items()
    }
    if not {"domain", "checkpoint"} & wildcards.keys():
        return found
    base = columns.base_answers(wildcards["model"])
    ids = sorted(answers)
    if not base.keys() >= set(ids):
        return found
    right = np.array([answers[i] for i in ids])
    widths = np.array([options[i] for i in ids])
    for cell, tuned in cells.items():
        stage, _, restored = cell.rpartition("/")
        after = cells.get(f"{stage}/100")
        if restored == "0" and after:
            before, middle, last = (
                np.array([part[i] for i in ids]) for part in (base, tuned, after)
            )
            fates = fate_indicators(before == right, middle == right, last == right)
            known = (
                knowledge_indicators(before, middle, last, right, widths)
                if (widths >= 4).all()
                else {}
            )
            for suffix, table in (("", fates), (":known", known)):
                for fate, values in table.items():
                    pairs = zip(ids, values, strict=True)
                    found[f"{stage}:{fate}{suffix}"] = {i: float(v) for i, v in pairs}
    return found


def _interpolated(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    """Who is right, a column per model between base and tuned."""
    found: dict[str, Column] = {}
    names = ("setting", "path", "point", "id", "correct")
    for setting, path, point, i, correct in rows_of(columns.results, output, *names):
        name = f"{point_name(setting, path, point)}:correct"
        found.setdefault(name, {})[i] = float(correct)
    return found


def _distant(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    """How far each model is on each prompt, or who is right."""
    found: dict[str, Column] = {}
    asked = output.endswith(".answers.parquet")
    measures = ("correct",) if asked else ("options", "answers")
    rows = rows_of(columns.results, output, "setting", "step", "id", *measures)
    for setting, step, i, *values in rows:
        for measure, value in zip(measures, values, strict=True):
            if value is not None:
                name = f"{stage_name(setting, step)}:{measure}"
                found.setdefault(name, {})[i] = float(value)
    return found


def _relearned(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    """Which facts are back from an update on, by text and kind."""
    right: dict[tuple[str, str], dict[int, dict[str, bool]]] = {}
    names = ("text", "kind", "update", "id", "correct")
    for text, kind, update, i, correct in rows_of(columns.results, output, *names):
        right.setdefault((text, kind), {}).setdefault(update, {})[i] = correct
    found: dict[str, Column] = {}
    for (text, kind), updates in right.items():
        later = dict.fromkeys(next(iter(updates.values())), True)
        for update in sorted(updates, reverse=True):
            later = {i: later[i] and own for i, own in updates[update].items()}
            found[f"{text}/{kind}/{update}:back"] = {i: float(v) for i, v in later.items()}
    return found


def _battery(columns: Columns, output: str, wildcards: Mapping[str, str]) -> dict[str, Column]:
    """Who is right in each way of asking, and what became of what seems lost."""
    after = _restored(columns, wildcards)
    paths = [columns.results.place(name) for name in (output, after) if name]
    (own,) = read_battery(paths[:1], paths[1:]).values()
    ids = [row["id"] for row in own.items]
    found = {
        f"{setting}/{way}:correct": (chosen == own.answer)[0]
        for (setting, way), chosen in own.chosen.items()
    }
    for setting in own.settings:
        for name, values in indicators(own.asked(setting)).items():
            found[f"{setting}:{name}"] = values[0]
    return {name: dict(zip(ids, map(float, values), strict=True)) for name, values in found.items()}


def _restored(columns: Columns, wildcards: Mapping[str, str]) -> str | None:
    """What the models of a training of the atlas answered after restoration, if that was asked."""
    if wildcards["domain"] != GIVEN:
        found = (
            name
            for name, record in columns.results.of_step("evaluate_stages").items()
            if record["wildcards"] == wildcards and name.endswith(".answers.parquet")
        )
        return next(found, None)
    told = columns.results.of_step("map_treatments").values()
    read = {name for record in told for name in record["inputs"]}
    of_base = (
        name
        for name, record in columns.results.of_step("measure_checkpoint").items()
        if name in read and record["wildcards"]["model"] == wildcards["model"]
        and training_of(columns.results.place(name))[0] == (GIVEN, wildcards["group"])
    )  # fmt: skip
    return next(of_base, None)


def _similarity(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    """The part of each question in the similarity of its kind, a column per kind and layer."""
    found: dict[str, Column] = {}
    if output.endswith(".similarity.parquet"):
        names = ("setting", "kind", "layer", "id", "value")
        for setting, kind, layer, i, value in rows_of(columns.results, output, *names):
            found.setdefault(f"{setting}/{layer}/{kind}:similarity", {})[i] = value
    return found


def _inside(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    """What the probe and its control have right, by whose states are read, layer and kind."""
    found: dict[str, Column] = {}
    names = ("setting", "states", "layer", "kind", "id", "right", "control")
    for *cell, i, right, control in rows_of(columns.results, output, *names):
        for name, value in (("right", right), ("control", control)):
            found.setdefault(f"{'/'.join(map(str, cell))}:{name}", {})[i] = float(value)
    return found


def _answers(
    results: Results, output: str
) -> tuple[dict[str, dict[str, int]], dict[str, int], dict[str, int]]:
    """What each model of a run chose, by stage and share restored, and id; answers; options."""
    cells: dict[str, dict[str, int]] = {}
    answers, options = dict[str, int](), dict[str, int]()
    names = ("setting", "step", "restored", "id", "pred", "answer", "scores")
    for setting, step, restored, i, pred, answer, scores in rows_of(results, output, *names):
        cells.setdefault(f"{stage_name(setting, step)}/{restored}", {})[i] = pred
        answers[i], options[i] = answer, len(scores)
    return cells, answers, options


def _texts(results: Results, output: str) -> dict[str, Column]:
    found: dict[str, Column] = {}
    names = ("setting", "step", "restored", "kind", "id", "nats", "bytes")
    for setting, step, restored, kind, i, nats, size in rows_of(results, output, *names):
        for measure, kinds in TEXT_KINDS.items():
            if kind in kinds:
                key = f"{stage_name(setting, step)}/{restored}:{measure}"
                found.setdefault(key, {})[i] = nats / math.log(2)
                found.setdefault(f"{key}:bytes", {})[i] = float(size)
    return found


def _scored(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    """A column per metric of a paraphrase, or per pre-training task."""
    if output.endswith("candidates.parquet"):
        return {}
    found: dict[str, Column] = {}
    for i, metric, value in rows_of(columns.results, output, "id", "metric", "value"):
        if value is not None:
            found.setdefault(metric, {})[i] = value
    return found


def _tasks(columns: Columns, output: str, _: Mapping[str, str]) -> dict[str, Column]:
    """A column per task, filter and metric of lm-evaluation-harness."""
    found: dict[str, Column] = {}
    names = ("id", "task", "filter", "metric", "value")
    for i, task, kind, metric, value in rows_of(columns.results, output, *names):
        if value is not None:
            found.setdefault(column_of(task, kind, metric), {})[i] = value
    return found


MAKERS: dict[str, Callable[[Columns, str, Mapping[str, str]], dict[str, Column]]] = {
    "probe_knowledge": _probed,
    "label_knowledge": _labelled,
    "read_groups": _labelled,
    "evaluate_knowledge": _tuned,
    "probe_checkpoint": _tuned,
    "evaluate_checkpoint": _tuned,
    "measure_checkpoint": _stages,
    "evaluate_base": _stages,
    "evaluate_stages": _stages,
    "interpolate_weights": _interpolated,
    "measure_distance": _distant,
    "relearn_facts": _relearned,
    "ask_battery": _battery,
    "measure_changes": _similarity,
    "probe_states": _inside,
    "evaluate_tasks": _scored,
    "score_paraphrases": _scored,
    "score_systems": _scored,
    "evaluate_harness": _tasks,
}
