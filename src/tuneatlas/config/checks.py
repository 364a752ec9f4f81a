"""Combinations of values that cannot work, each key being fine on its own."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from tuneatlas.config import (
    atlas_checks,
    checkpoints,
    chosen_checks,
    domain_checks,
    forgetting_checks,
    network_checks,
    syntax_checks,
    treatment_checks,
)
from tuneatlas.config.knowledge_checks import KNOWLEDGE_CHECKS
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import ModelConfig, ScratchModel
from tuneatlas.config.models.paraphrasers import ParaphraserConfig
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Conflict, Key
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import ChatTemplate, ExplainTemplate, QuestionTemplate, Template

Check = Callable[[Experiment, Path], Iterator[Conflict]]

TEMPLATES = Path("config/templates")
# Options that name a template: its folder and what it is.
KINDS: dict[str, tuple[str, type[Template]]] = {
    "question_template": ("questions", QuestionTemplate),
    "chat_template": ("chat", ChatTemplate),
    "explain_template": ("explain", ExplainTemplate),
}


def find_conflicts(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """All impossible combinations; templates are looked up under ``root``."""
    return chain.from_iterable(check(experiment, root) for check in CHECKS)


def _repeats(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    lists: dict[Key, tuple[float | str, ...]] = {
        ("seeds",): experiment.seeds,
        ("mix_instructions", "ratios"): experiment.mix_instructions.ratios,
        ("finetune_paraphrase", "shares"): experiment.finetune_paraphrase.shares,
        ("finetune_paraphrase", "seeds"): experiment.finetune_paraphrase.seeds or (),
        ("stage_forgetting", "seeds"): experiment.stage_forgetting.seeds or (),
        ("atlas", "seeds"): experiment.atlas.seeds or (),
        ("atlas", "checkpoints"): experiment.atlas.checkpoints,
    }
    for key, values in lists.items():
        for value, count in Counter(values).items():
            if count > 1:
                yield (key,), f"{value} is listed {count} times; each value runs once"


def _studies(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Nothing to study, or half of what a study needs."""
    models, domains = bool(experiment.models), bool(experiment.domains)
    if not (models or domains or experiment.paraphrasers):
        text = "missing; name base models and domains (S1 and S2), or paraphrasers (S3)"
        yield (("models",), ("domains",), ("paraphrasers",)), text
    elif models != domains:
        name, other = ("domains", "base models") if models else ("models", "domains")
        yield ((name,),), f"missing; {other} are studied with them"


def _reserved(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    for name, members in experiment.compared_models.items():
        if name == "index":
            text = "results/report/index.html is the page to open: choose another name for this "
            yield (("models", members[0]),), f"{text}model"


def _families(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Members of a family are one model but for the seed of its pre-training."""
    yield from _alike("models", experiment.models, experiment.compared_models)
    yield from _alike("paraphrasers", experiment.paraphrasers, experiment.compared_paraphrasers)


def _alike(
    part: str,
    models: Mapping[str, ModelConfig | ParaphraserConfig],
    compared: Mapping[str, list[str]],
) -> Iterator[Conflict]:
    own = ("id", "path", "revision", "replicates")
    for family, members in compared.items():
        seen: dict[int, str] = {}
        first, *_ = (models[name].model_dump() for name in members)
        for name in members:
            model, at = models[name], (part, name)
            if model.family is None:
                continue
            if family in models:
                text = f"{family!r} is a model of its own: give the family another name"
                yield ((*at, "family"), (part, family)), text
            if model.replicates is None or len(model.replicates) != 1:
                text = f"is of family {family}: name the one pre-training seed that it is of"
                yield ((*at, "replicates"),), text
            elif (other := seen.setdefault(model.replicates[0], name)) != name:
                text = f"{model.replicates[0]} is {other} already, of the same family"
                yield ((*at, "replicates"), (part, other, "replicates")), text
            values = model.model_dump()
            differing = [k for k in values if k not in own and values[k] != first.get(k)]
            if differing:
                text = f"is another than {members[0]}'s, of the same family "
                yield ((*at, differing[0]),), f"{text}({family}): replicates differ by seed alone"


def _ratios(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    for number, ratio in enumerate(experiment.mix_instructions.ratios):
        if abs(100 * ratio - round(100 * ratio)) > 1e-9:
            key = ("mix_instructions", "ratios", number)
            yield (key,), f"{ratio} is not a whole percent, which names the mixture"


def _ways(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    probe = experiment.probe_knowledge
    if experiment.mix_instructions.maybe_known_weight != 1 and probe.draws * probe.rotations == 1:
        text = "asked in one way only, no question is MaybeKnown: raise draws or rotations"
        yield (("mix_instructions", "maybe_known_weight"), ("probe_knowledge", "draws")), text


def _corpus(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    corpus = experiment.prepare_corpus
    at = "prepare_corpus"
    if corpus.mentions_min > corpus.mentions_max:
        text = f"{corpus.mentions_min} is more than mentions_max {corpus.mentions_max}"
        yield ((at, "mentions_min"), (at, "mentions_max")), text


def _templates(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    probe, evaluate = experiment.probe_knowledge, experiment.evaluate_knowledge
    uses = [
        (n, o, getattr(values, o)) for n, values in experiment for o in KINDS if hasattr(values, o)
    ]
    scored = {"probe_knowledge": probe.scoring, "evaluate_knowledge": evaluate.scoring}
    for section, option, name in uses:
        inner, kind = KINDS[option]
        folder = root / TEMPLATES / inner
        known = sorted(p.stem for p in folder.glob("*.yaml"))
        key: Key = (section, option)
        if name not in known:
            yield (key,), f"no template {name!r} in {folder}{nearest(name, known)}"
            continue
        try:
            template = kind.load(folder / f"{name}.yaml")
        except UserError as error:
            yield (key,), str(error)
            continue
        chat = template if isinstance(template, ChatTemplate) else None
        if chat and section == "prepare_corpus":
            if experiment.prepare_corpus.dialogue_share and chat.end != "{eos}":
                text = f"template {name!r} ends a reply in {chat.end!r}, and a document ends in"
                yield (key,), f"{text} the end token alone: take one whose end is '{{eos}}'"
        elif chat and not chat.end.strip():
            text = f"template {name!r} drops the end token of the assistant's replies"
            yield (key,), f"{text}: a model tuned so never learns to stop; give it an 'end'"
        if isinstance(template, QuestionTemplate) and section in scored:
            needed = "{letter}" if scored[section] == "letter" else "{text}"
            asked = template.question if section == "probe_knowledge" else template.instruction
            if needed not in template.scored:
                text = (
                    f"scoring by {scored[section]} needs {needed} in what is scored, but template "
                    f"{name!r} scores {template.scored!r}"
                )
                yield ((section, "scoring"), key), text
            elif scored[section] == "letter" and not _shows_letters(template, asked):
                text = f"scoring by letter needs options with letters, but template {name!r} shows"
                yield ((section, "scoring"), key), f"{text} none: {asked!r}, {template.option!r}"


def _shows_letters(template: QuestionTemplate, asked: str) -> bool:
    return "{options}" in asked and all(part in template.option for part in ("{letter}", "{text}"))


def _harness(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """A chat template is the tokenizer's own, and one that is made here has none."""
    harness = experiment.evaluate_harness
    if harness.tasks and harness.chat:
        for name, model in experiment.models.items():
            if isinstance(model, ScratchModel):
                text = f"models.{name} is trained from scratch: its tokenizer has no chat template"
                yield (("evaluate_harness", "chat"), ("models", name)), text


CHECKS: tuple[Check, ...] = (
    _repeats,
    _studies,
    _reserved,
    _families,
    _ratios,
    _ways,
    _corpus,
    _templates,
    _harness,
    network_checks.packages,
    network_checks.heads,
    network_checks.lengths,
    network_checks.batches,
    checkpoints.conflicts,
    domain_checks.enough,
    domain_checks.shots,
    domain_checks.built_in,
    domain_checks.tests_out_of_domain,
    domain_checks.told_facts,
    domain_checks.benchmarks,
    chosen_checks.chosen,
    chosen_checks.followed,
    chosen_checks.order,
    treatment_checks.named,
    treatment_checks.words,
    treatment_checks.preferences,
    treatment_checks.rewards,
    treatment_checks.replays,
    treatment_checks.adapters,
    atlas_checks.measures,
    atlas_checks.given,
    atlas_checks.battery,
    atlas_checks.layers,
    atlas_checks.probes,
    forgetting_checks.reached,
    forgetting_checks.corpus,
    syntax_checks.names,
    syntax_checks.formats,
    syntax_checks.systems,
    syntax_checks.masks,
    syntax_checks.chosen_epoch,
    syntax_checks.idle_shards,
    syntax_checks.own_pairs,
    syntax_checks.given_parses,
    syntax_checks.heads,
    *KNOWLEDGE_CHECKS,
)
