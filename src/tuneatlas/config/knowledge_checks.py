"""Combinations of the keys of knowledge intervention that cannot work."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tuneatlas.config.models.data import BenchmarkDomain, FactsDomain, SelfAligningDomain
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.paraphrase import FinetuneParaphrase, PretrainTasks
from tuneatlas.config.source import Conflict, Key
from tuneatlas.config.trainings import trainings
from tuneatlas.data.released_files import other_model


def _option_tokens(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """One token tells letters apart, and nothing else."""
    for section in ("probe_knowledge", "evaluate_knowledge"):
        asked = getattr(experiment, section)
        if asked.option_tokens == "alone" and asked.scoring != "letter":
            text = (
                f"alone scores a token of each option, but scoring is {asked.scoring}: say joined"
            )
            yield ((section, "option_tokens"), (section, "scoring")), text


def _remainders(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    for at, training in trainings(experiment).items():
        of_syntax = isinstance(training, PretrainTasks | FinetuneParaphrase)
        if of_syntax and training.remainder != "step":
            text = "here batches are of like lengths, so that none is left at the end of an epoch"
            yield ((*at, "remainder"),), f"{text}: say step"


def _contexts(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Contexts stand in files of the user's."""
    if not experiment.mix_instructions.contextualised:
        return
    for name in experiment.tuned_domains:
        domain = experiment.domains.get(name)
        if isinstance(domain, FactsDomain | BenchmarkDomain):
            text = (
                f"the questions of {name} (source: {domain.source}) have no contexts, which stand "
            )
            text += "in the column 'context' of a file of yours: leave out one of the two"
            yield (("mix_instructions", "contextualised"), ("domains", name, "source")), text


def _general(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    general = experiment.mix_instructions.general
    if general.path and not general.licence:
        yield (("mix_instructions", "general", "licence"),), "missing; state the licence of path"


def _released(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Released groups are those of the model, and lie in the authors' data."""
    tuned = {name: experiment.domains[name] for name in experiment.tuned_domains}
    for name, model in experiment.models.items():
        if model.released_groups is None:
            continue
        at: Key = ("models", name, "released_groups")
        known = [name, *(str(getattr(model, key, "")) for key in ("id", "path", "package"))]
        if other := other_model(model.released_groups, known):
            text = f"{model.released_groups!r} is another model than this one, which is {other!r}: "
            yield (at, ("models", name)), f"{text}name its own groups, or null to probe it"
        for domain, entry in tuned.items():
            if not isinstance(entry, SelfAligningDomain):
                text = (
                    f"there are none for domain {domain} (source: {entry.source}): leave them out"
                )
                yield (at, ("domains", domain, "source")), f"{text}, or tune on released domains"


def _begins(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """The study of forgetting asks as the probe did, in one way."""
    if not experiment.restores:
        return
    without = "(stage_forgetting.groups: [], and restore: false of checkpoints)"
    if experiment.probe_knowledge.ties != "wrong":
        text = "the study of forgetting counts ties as wrong: say wrong, or leave the study out"
        yield (("probe_knowledge", "ties"),), f"{text} {without}"
    for name, model in experiment.models.items():
        for role, said in experiment.probe_knowledge.bos:
            if said is not None and said != model.bos:
                key: Key = ("probe_knowledge", "bos", role)
                text = (
                    f"differs from models.{name}.bos, and the study of forgetting asks all of its "
                )
                text += "questions as that says: say null, or leave the study out"
                yield (key, ("models", name, "bos")), f"{text} {without}"


def _seeding(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """What is drawn by one stream of random numbers is drawn by one process."""
    explain = experiment.explain_predictions
    for key in ("shards", "processes"):
        if explain.seeding == "run" and getattr(explain, key) > 1:
            text = "each batch follows on the one before, so that nobody can share them: say"
            at: Key = ("explain_predictions", "seeding")
            yield (("explain_predictions", key), at), f"{text} seeding: batch, which draws others"


def _idle_shards(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Where the config says how much there is to share; else the first job says it."""
    limits = {name: domain.limits for name, domain in experiment.domains.items()}
    asked = {name: (own.train, own.test, own.related_test) for name, own in limits.items()}
    said = {name: sum(filter(None, own)) for name, own in asked.items() if None not in own}
    if said:
        name = min(said, key=lambda name: said[name])
        questions = f"questions of {name}"
        yield from too_many(experiment, "probe_knowledge", asked[name], questions)
    tests = [number for own in asked.values() for number in own[1:]]
    if experiment.tuned_domains:
        yield from too_many(experiment, "evaluate_knowledge", tests, "test questions")
    if experiment.stage_forgetting.groups:
        tuned = len(experiment.finetune_stages.steps) + 1
        measured = tuned * (2 + len(experiment.restore_stages.curve))
        yield from too_many(experiment, "evaluate_stages", [measured], "models of a run")


def too_many(
    experiment: Experiment, section: str, items: Sequence[int | None], what: str
) -> Iterator[Conflict]:
    """More jobs to share a step's work than there are items, where it is known how many."""
    shards = getattr(experiment, section).shards
    known = [item for item in items if item is not None]
    if len(known) == len(items) and shards > sum(known):
        text = f"{shards} jobs cannot share {sum(known):,} {what}: lower it"
        yield ((section, "shards"),), text


KNOWLEDGE_CHECKS: tuple[Callable[[Experiment, Path], Iterator[Conflict]], ...] = (
    _option_tokens,
    _remainders,
    _contexts,
    _general,
    _released,
    _begins,
    _seeding,
    _idle_shards,
)
