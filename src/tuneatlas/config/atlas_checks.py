"""What the atlas cannot ask: known of its keys, and of the templates that it asks by."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tuneatlas.config.models.data import FactsDomain
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Conflict, Key
from tuneatlas.data.scopes import GIVEN
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate, few_shot_prompt
from tuneatlas.models.shapes import known_shape
from tuneatlas.studies.atlas.ways import ORDER, PLACE, REWORDED, Layouts, equal_ways, ways_of

TEMPLATES = Path("config/templates")
# Of each built-in question.
OPTIONS = 4
# Any question; what is put in the same words of it is of all.
ASKED = {
    **{"id": "any", "question": "Which is it?", "topic": "any", "role": "home"},
    **{"choices": ["one", "two", "three", "four", "five", "six", "seven"], "answer": 1},
}


def measures(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Measures of questions that only another one tells apart."""
    asked = experiment.atlas.measures
    for name in ("changes", "inside"):
        if name in asked and "battery" not in asked:
            text = f"{name} asks of questions by what the battery reached: add battery to it, or "
            yield (("atlas", "measures"),), f"{text}leave out {name}"


def given(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Checkpoints tuned elsewhere that there are none of, or that cannot be told from tunings."""
    at: Key = ("atlas", "checkpoints")
    own = experiment.atlas.checkpoints
    for name in dict.fromkeys(own):
        if name not in experiment.checkpoints:
            yield (at,), f"no checkpoint {name!r}{nearest(name, [*experiment.checkpoints])}"
        elif name in (*experiment.groups, *experiment.treatments):
            text = f"{name!r} is a group or treatment too: give the checkpoint another name"
            yield (at, ("checkpoints", name)), text
    if experiment.maps and GIVEN in experiment.domains:
        text = f"in the atlas {GIVEN!r} stands for what was tuned elsewhere: choose another name"
        yield (("domains", GIVEN),), text
    for name, entry in experiment.checkpoints.items():
        key: Key = ("checkpoints", name, "domain")
        if entry.domain is None:
            continue
        if entry.domain not in experiment.domains:
            known = [*experiment.domains]
            yield (key,), f"no domain {entry.domain!r}{nearest(entry.domain, known)}"
        elif name in own and len(experiment.domains) == 1:
            text = "it is the only one, so that no question is elsewhere: leave it out, or add one"
            yield (key, at), text


def battery(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Ways of asking that put a question in the same words, or do not hold it."""
    own = experiment.atlas
    if not experiment.maps or "battery" not in own.measures:
        return
    lacking = [n for n, form in enumerate(own.rewordings) if PLACE not in form]
    for number in lacking:
        key: Key = ("atlas", "rewordings", number)
        yield (key,), f"{own.rewordings[number]!r} lacks {PLACE}, where the question is to stand"
    probe, evaluate = experiment.probe_knowledge, experiment.evaluate_knowledge
    names = [("questions", probe.question_template), ("questions", evaluate.question_template)]
    paths = [root / TEMPLATES / folder / f"{name}.yaml" for folder, name in names]
    try:
        template, chat_template = map(QuestionTemplate.load, paths)
        chat = ChatTemplate.load(root / TEMPLATES / "chat" / f"{evaluate.chat_template}.yaml")
    except UserError:
        return  # said of the section that names it
    if lacking:
        return
    alone = evaluate.option_tokens == "alone"
    layouts = Layouts(template, chat_template, chat, alone, own.ways, own.rewordings, own.orders)
    few_shot = few_shot_prompt(template, [ASKED] * min(probe.shots, 1), ASKED)
    if same := equal_ways(ways_of(ASKED, few_shot, layouts)):
        first, second = same
        key = _key(second)
        text = f"{second} puts a question in the same words as {first}"
        if second.startswith(ORDER) and "{options}" not in template.question:
            text += f": template {probe.question_template!r} does not show the options; say 0"
        else:
            text += ": leave out one of the two"
        yield (key,), text


def layers(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Layers that a model does not have, where its depth is known."""
    own = experiment.atlas
    if not experiment.maps or own.layers is None:
        return
    for layer, count in Counter(own.layers).items():
        if count > 1:
            yield (("atlas", "layers"),), f"{layer} is listed {count} times"
    for name, model in experiment.models.items():
        shape = known_shape(model.model_dump(), root)
        if shape and (deep := [layer for layer in own.layers if layer > shape.layers]):
            text = f"model {name!r} has layers 0 (embeddings) to {shape.layers}, not {deep[0]}"
            yield (("atlas", "layers"), ("models", name)), text


def probes(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Fewer questions than a probe needs, where it is known how many there will be."""
    domains = list(experiment.domains.values())
    known = [d.limits for d in domains if isinstance(d, FactsDomain)]
    own = experiment.atlas
    if not experiment.maps or "inside" not in own.measures or len(known) < len(domains):
        return
    if (count := sum(limits.test + limits.related_test for limits in known)) < OPTIONS:
        text = f"{count} test questions are fewer than the {OPTIONS} options of one, so that no "
        text += "probe can be trained: raise the limits of a domain"
        named = "groups" if own.groups else "checkpoints"
        yield (("atlas", named), ("domains",)), text


def _key(way: str) -> Key:
    """Where a way of asking is asked for."""
    if way.startswith(REWORDED):
        return ("atlas", "rewordings", int(way.removeprefix(REWORDED)) - 1)
    return ("atlas", "orders" if way.startswith(ORDER) else "ways")
