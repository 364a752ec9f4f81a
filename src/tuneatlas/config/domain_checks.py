"""Combinations of values that domains of questions cannot have."""

from collections.abc import Iterator
from pathlib import Path

from tuneatlas.config.models.data import (
    BenchmarkDomain,
    DomainConfig,
    FactsDomain,
    FileDomain,
    SelfAligningDomain,
)
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import ScratchModel
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Conflict, Key
from tuneatlas.data.benchmarks import have_dev, load_sets
from tuneatlas.data.mentions import MENTIONED


def enough(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """None to tune on, or no second one to test out of the first."""
    if not experiment.models and not experiment.domains:
        return  # the syntax study alone
    if experiment.checkpoints and not experiment.tuned_domains:
        return  # they were tuned elsewhere, and are tested on whatever there is
    # Of which one that is wrong was left out, and said so.
    keys: tuple[Key, ...] = (("domains",), ("checkpoints",))
    if not experiment.tuned_domains:
        yield keys, "no domain has tune: true, so there is nothing to tune on"
    if len(experiment.domains) < 2:
        yield keys, "one domain only: tests out of the domain need a second one"


def built_in(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Domains of facts that do not come with the package."""
    # Imported here, as the tables of facts take their time.
    from tuneatlas.data.facts import DOMAINS

    for name, domain in experiment.domains.items():
        if isinstance(domain, FactsDomain) and name not in DOMAINS:
            key: Key = ("domains", name, "source")
            yield (key,), f"no built-in domain {name!r}{nearest(name, DOMAINS)}"


def tests_out_of_domain(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """A tuned domain of which no other has tests of the roles that are out of it."""
    if len(experiment.domains) > 1:
        for name in experiment.tuned_domains:
            if not any(out_of_domain(experiment, name).values()):
                yield (("compare_groups", "ood_roles"),), none_out(experiment, name)
                return


def told_facts(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Claims about facts that a corpus states, where it is not known which those are."""
    if experiment.compare_groups.facts != MENTIONED or not experiment.tuned_domains:
        return
    key: Key = ("compare_groups", "facts")
    for name, model in experiment.models.items():
        if not isinstance(model, ScratchModel):
            text = f"what models.{name} read is not known, as it is not made here: set all"
            yield (key,), text
            return
    if not any(isinstance(domain, FactsDomain) for domain in experiment.domains.values()):
        yield (key,), "no domain is of built-in facts, which alone the corpus states: set all"


def out_of_domain(experiment: Experiment, tuned: str) -> dict[str, list[str]]:
    """Roles of the other domains' questions out of ``tuned``, as far as the config tells.

    What a question file holds shows the file.
    """
    return {
        name: [r for r in experiment.compare_groups.ood_roles if _may_test(domain, r)]
        for name, domain in experiment.domains.items()
        if name != tuned
    }


def none_out(experiment: Experiment, tuned: str) -> str:
    """What is said where there are none."""
    roles = " or ".join(experiment.compare_groups.ood_roles)
    return (
        f"no domain but {tuned!r} has test questions of role {roles}, so none are out of it: give "
        "one some, or name the other role here"
    )


def _may_test(domain: DomainConfig, role: str) -> bool:
    limit = domain.limits.test if role == "home" else domain.limits.related_test
    return limit != 0 and (not isinstance(domain, BenchmarkDomain) or bool(getattr(domain, role)))


def lacks_dev(domain: BenchmarkDomain | FileDomain | SelfAligningDomain) -> bool:
    """Whether all its related sets, if there are any, leave open which questions to show."""
    known = [word for word in domain.related if word in load_sets()]
    return bool(known) and not have_dev(known)


def benchmarks(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Published sets that there are none of, or that a domain lacks."""
    known = load_sets()
    for name, domain in experiment.domains.items():
        at: Key = ("domains", name)
        for role in ("home", "related"):
            for word in getattr(domain, role, ()):
                if word not in known:
                    yield ((*at, role),), f"no question set {word!r}{nearest(word, known)}"
        if not isinstance(domain, BenchmarkDomain):
            continue
        if domain.tune and not domain.home:
            yield ((*at, "home"),), "missing: the domain is tuned, so name a set to train on"
        if not domain.home and not domain.related:
            yield (at,), "has no question sets: name some under home or related"
        elif domain.limits.related_dev is None and lacks_dev(domain):
            text = "missing: its sets have no few-shot questions of their own, so say how many"
            yield ((*at, "limits", "related_dev"),), text


def shots(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """Few-shot pools smaller than the shots of the steps that draw from them."""
    for name in experiment.domains:
        yield from _shots(experiment, name)


def _shots(experiment: Experiment, name: str) -> Iterator[Conflict]:
    probe, explain = experiment.probe_knowledge.shots, experiment.explain_predictions.shots
    domain = experiment.domains[name]
    limits = domain.limits
    home, related = True, bool(limits.related_test)
    if isinstance(domain, BenchmarkDomain):
        home, related = bool(domain.home), bool(domain.related)
    elif isinstance(domain, FileDomain | SelfAligningDomain) and domain.related:
        related = True
    wanted = [("dev", limits.dev, "probe_knowledge", probe)] if home else []
    if domain.tune:
        wanted.append(("dev", limits.dev, "explain_predictions", explain))
    if related:
        wanted.append(("related_dev", limits.related_dev, "probe_knowledge", probe))
    for pool, have, section, shots in wanted:
        if have is not None and have < shots:
            text = f"{have} questions cannot give the {shots} shots of {section}"
            yield (("domains", name, "limits", pool), (section, "shots")), text
