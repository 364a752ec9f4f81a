"""Ask the models between base and tuned, with no training: what is lost, and on which way?"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.engine.step import Step, progress
from tuneatlas.engine.resume import Parts
from tuneatlas.models.checkpoints import load_checkpoint
from tuneatlas.models.probed import ask_again, read_prompts
from tuneatlas.models.prompts import QuestionTemplate
from tuneatlas.studies.atlas.tables import BASE, INTERPOLATED, LINE, RESET
from tuneatlas.studies.atlas.trainings import tuned_models
from tuneatlas.studies.atlas.weights import (
    Mixing,
    averaging,
    fill,
    refuse_unlike,
    thresholds,
    undoing,
    weights_of,
)
from tuneatlas.tables import QUESTIONS, Row


class Questions(NamedTuple):
    """Test questions with the prompts of the probe, by id; ``bos`` as in `probe_base`."""

    rows: Sequence[Row]
    prompts: Mapping[str, str]
    template: QuestionTemplate
    bos: bool | Mapping[str, bool]


class Point(NamedTuple):
    """A model between base and tuned: on which path, and how far along."""

    setting: str
    path: str
    point: float


def points_of(setting: str, options: Mapping[str, Any]) -> list[Point]:
    """The models asked of a tuned one, itself the last of the line; the base is asked once."""
    line = [Point(setting, LINE, float(alpha)) for alpha in (*options["alphas"], 1)]
    return [*line, *(Point(setting, RESET, float(percent)) for percent in options["undone"])]


def interpolate_weights(step: Step, *, bos: bool | Mapping[str, bool]) -> None:
    """Ask all models between a step's ``base`` and ``finetuned`` and ``stages``, where there are.

    ``bos`` is as in `probe_base`; ``answers`` is written.
    """
    asked = [r for p in step.paths("questions") for r in QUESTIONS.read(p) if r["split"] == "test"]
    prompts = read_prompts(step.paths("answers"), asked, "atlas")
    questions = Questions(asked, prompts, QuestionTemplate.load(step.path("template")), bos)
    rows = ask_between(
        step.path("base"), tuned_models(step), questions, step.options, parts=step.parts()
    )
    INTERPOLATED.write(step.outputs["answers"], rows)


def ask_between(
    base: Path,
    tuned: Mapping[str, Path],
    questions: Questions,
    options: Mapping[str, Any],
    *,
    parts: Parts | None = None,
) -> list[Row]:
    """Rows of INTERPOLATED of the base model, and of all models between it and each tuned one.

    ``tuned``: folders by setting; ``options``: ``alphas`` and ``undone`` (%), the model's
    ``dtype``, and how it is asked.
    """
    model, tokenizer = load_checkpoint(base, dtype=options["dtype"])
    before = weights_of(model)
    kept = parts or Parts()
    rows: list[Row] = []
    points = [[Point(*BASE)], *(points_of(setting, options) for setting in tuned)]
    ends = [base, *tuned.values()]
    told = iter(progress(range(sum(map(len, points))), sum(map(len, points)), "models asked"))
    for folder, several in zip(ends, points, strict=True):
        after = before
        if folder != base:
            after = weights_of(load_checkpoint(folder, dtype=options["dtype"], place=False)[0])
            refuse_unlike(before, after, folder)
        for point, mixing in zip(several, _mixings(before, after, several), strict=True):

            def answer(after: Any = after, mixing: Mixing = mixing) -> list[Row]:
                fill(model, before, after, mixing)
                rows, prompts, template, bos = questions
                return ask_again(model, tokenizer, rows, prompts, template, options, bos=bos)

            rows += [point._asdict() | row for row in kept.of(next(told), answer)]
    return rows


def _mixings(before: Any, after: Any, points: Sequence[Point]) -> Iterator[Mixing]:
    """How the weights of each of ``points`` are made, all of one tuned model."""
    undone = [p.point for p in points if p.path == RESET]
    sizes = dict(zip(undone, thresholds(before, after, undone), strict=True)) if undone else {}
    for point in points:
        reset = point.path == RESET
        yield undoing(sizes[point.point]) if reset else averaging(point.point)
