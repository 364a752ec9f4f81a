"""A linear probe on hidden states: is the right option there where the model does not say it?

The probe ranks the options of a question by the hidden state at the end of each. It is trained on
the base model's states of questions that are kept, and asked of all others. Its control task (after
Hewitt & Liang 2019, arXiv 1909.03368) has the same form and nothing to know: which option is right
there is drawn for each text of an option, so that a probe can but learn it by heart.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step, progress
from tuneatlas.data.duplicates import keys_of
from tuneatlas.engine.resume import Parts
from tuneatlas.errors import UserError
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.encode import encode_pairs
from tuneatlas.models.prompts import QuestionTemplate, continuations
from tuneatlas.statistics.bootstrap import Floats
from tuneatlas.studies.atlas.changes import Material, read_material
from tuneatlas.studies.atlas.recovery import KEPT
from tuneatlas.studies.atlas.states import States, chosen_layers, last_states
from tuneatlas.studies.atlas.tables import PROBED_STATES, UNKNOWN
from tuneatlas.studies.atlas.trainings import tuned_models
from tuneatlas.tables import Row

FOLDS = 5
# Ridge penalties tried, as multiples of the mean square of a direction.
PENALTIES = np.geomspace(1e-4, 1e4, 17)


class Options(NamedTuple):
    """All options of some questions, one after the other, and the question of each.

    ``states`` are (options, width), less the mean of their question; ``right`` and ``control``
    say which option of each question is right, and which is in the control task.
    """

    states: Floats
    owner: NDArray[Any]
    right: NDArray[np.bool_]
    control: NDArray[np.bool_]


def probe_states(step: Step, *, bos: bool | Mapping[str, bool]) -> None:
    """Probe a step's base and tuned models; write ``answers``."""
    material, tuned = read_material(step, bos), tuned_models(step)
    template = QuestionTemplate.load(step.path("template"))
    how = (step.options, step.seed)
    rows = probe_all(step.path("base"), tuned, material, template, *how, parts=step.parts())
    PROBED_STATES.write(step.outputs["answers"], rows)


def probe_all(
    base: Path,
    tuned: Mapping[str, Path],
    material: Material,
    template: QuestionTemplate,
    options: Mapping[str, Any],
    seed: int,
    *,
    parts: Parts | None = None,
) -> list[Row]:
    """Rows of PROBED_STATES; ``tuned``: folders by setting.

    ``options``: ``layers``, ``dtype``, ``batch_tokens``. UserError says that fewer questions are
    kept than they have options, so that no probe can be trained.
    """
    for setting, folder in tuned.items():
        _refuse_few(material, setting, folder)
    model, tokenizer = load_checkpoint(base, dtype=options["dtype"])
    texts = _texts(tokenizer, material, template)
    kept = parts or Parts()
    states: States | None = None
    rows: list[Row] = []
    for number, setting in enumerate(progress(tuned, len(tuned), "models probed")):

        def probe(setting: str = setting) -> list[Row]:
            nonlocal states
            other, _ = load_checkpoint(tuned[setting], dtype=options["dtype"])
            layers = chosen_layers(model, options["layers"], other, tuned[setting])
            how = (layers, options["batch_tokens"])
            states = last_states(model, texts, *how) if states is None else states
            both = {"base": states, "tuned": last_states(other, texts, *how)}
            of_kinds = material.kinds[setting]
            return list(probe_rows(both, layers, material.rows, of_kinds, seed))

        rows += [{"setting": setting} | row for row in kept.of(number, probe)]
    return rows


def _texts(
    tokenizer: PreTrainedTokenizerBase, material: Material, template: QuestionTemplate
) -> list[list[int]]:
    """Token ids of each prompt with each of its options behind it."""
    pairs = [
        (material.prompts[row["id"]], text)
        for row in material.rows
        for text in continuations(template, row)
    ]
    begins = np.repeat(
        [material.begins(row) for row in material.rows],
        [len(row["choices"]) for row in material.rows],
    )
    found: list[list[int]] = [[]] * len(pairs)
    for bos in (False, True):
        where = np.flatnonzero(begins == bos)
        coded = encode_pairs(tokenizer, [pairs[at] for at in where], bos) if len(where) else []
        for at, (context, rest) in zip(where, coded, strict=True):
            found[at] = [*context, *rest]
    return found


def _refuse_few(material: Material, setting: str, folder: Path) -> None:
    kept = set(material.kinds[setting][KEPT])
    options = max((len(row["choices"]) for row in material.rows), default=0)
    if len(kept) < options:
        raise UserError(
            f"{folder}: {len(kept)} questions are kept, fewer than the {options} options of one, "
            "so that no probe can be trained; leave this tuning out of atlas"
        )


def probe_rows(
    states: Mapping[str, States],
    layers: Sequence[int],
    rows: Sequence[Row],
    of_kinds: Mapping[str, Sequence[str]],
    seed: int,
) -> Iterator[Row]:
    """A row for each question, layer and model whose states are read (options, layers, width).

    A kept question is asked of a probe that was trained on others: none that says the same.
    """
    kind_of = {name: kind for kind, ids in of_kinds.items() for name in ids}
    folds = fold_of([keys_of(row)[1] for row in rows], seed)
    kept = np.array([kind_of.get(row["id"]) == KEPT for row in rows])
    for at, layer in enumerate(layers):
        asked = {of: _options(own[:, at], rows) for of, own in states.items()}
        right, control = ({of: np.zeros(len(rows), dtype=bool) for of in asked} for _ in range(2))
        for fold in range(FOLDS):
            training = kept & (folds != fold)
            target = folds == fold
            for found, name in ((right, "right"), (control, "control")):
                weights = train(asked["base"], training, name)
                for of, own in asked.items():
                    found[of] |= target & answers(own, weights, name)
        for of in asked:
            for n, row in enumerate(rows):
                yield {
                    **{"states": of, "layer": layer},
                    **{key: row[key] for key in ("id", "domain", "role")},
                    **{"kind": kind_of.get(row["id"], UNKNOWN), "options": len(row["choices"])},
                    **{"right": bool(right[of][n]), "control": bool(control[of][n])},
                }


def fold_of(contents: Sequence[Any], seed: int) -> NDArray[Any]:
    """Which of FOLDS parts each question is in: those that say the same in one, all of one size."""
    names = sorted(set(contents))
    random.Random(f"folds/{seed}").shuffle(names)
    at = {name: n % FOLDS for n, name in enumerate(names)}
    return np.array([at[name] for name in contents])


def _options(states: NDArray[Any], rows: Sequence[Row]) -> Options:
    sizes = [len(row["choices"]) for row in rows]
    owner = np.repeat(np.arange(len(rows)), sizes)
    ends = np.cumsum([0, *sizes])
    right, control = np.zeros((2, len(owner)), dtype=bool)
    for row, start in zip(rows, ends, strict=False):
        right[start + row["answer"]] = True
        draws = [random.Random(f"control/{text}").random() for text in row["choices"]]
        control[start + draws.index(max(draws))] = True
    table = np.asarray(states, dtype=np.float64)
    means = np.add.reduceat(table, ends[:-1]) / np.array(sizes)[:, None]
    return Options(table - means[owner], owner, right, control)


def train(asked: Options, chosen: NDArray[np.bool_], task: str) -> Floats:
    """Weights (width,) that tell the right option of the ``chosen`` questions from the others.

    Ridge regression on states of one spread; the penalty is that of the least error by generalised
    cross-validation (Golub et al. 1979).
    """
    where = chosen[asked.owner]
    states = asked.states[where]
    spread = states.std(axis=0)
    spread[spread == 0] = 1
    sizes = np.bincount(asked.owner)[asked.owner[where]]
    wanted = getattr(asked, task)[where] - 1 / sizes
    left, sizes_of, right = np.linalg.svd(states / spread, full_matrices=False)
    along = left.T @ wanted
    rest = wanted @ wanted - along @ along
    # One of the options of each question follows from the others.
    count = len(wanted) - int(chosen.sum())
    best: tuple[float, Floats] | None = None
    for penalty in PENALTIES * (sizes_of**2).mean():
        shrunk = sizes_of**2 / (sizes_of**2 + penalty)
        error = rest + (((1 - shrunk) * along) ** 2).sum()
        score = error / max(count - shrunk.sum(), 1e-9) ** 2
        if best is None or score < best[0]:
            best = (score, right.T @ (sizes_of / (sizes_of**2 + penalty) * along) / spread)
    assert best is not None
    return best[1]


def answers(asked: Options, weights: Floats, task: str) -> NDArray[np.bool_]:
    """Of which questions the right option is ranked first, by itself: ties are wrong."""
    scores = asked.states @ weights
    starts = np.flatnonzero(np.diff(asked.owner, prepend=-1))
    wrong = np.where(getattr(asked, task), -np.inf, scores)
    own = np.where(getattr(asked, task), scores, -np.inf)
    return np.asarray(np.maximum.reduceat(own, starts) > np.maximum.reduceat(wrong, starts))
