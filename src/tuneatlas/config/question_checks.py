"""Questions of files and of published sets that are at hand, made as their step makes them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from tuneatlas.config.domain_checks import lacks_dev, none_out, out_of_domain
from tuneatlas.config.forgetting_checks import unreached
from tuneatlas.config.load import resolve
from tuneatlas.config.models.data import (
    BenchmarkDomain,
    FactsDomain,
    FileDomain,
    Limits,
    SelfAligningDomain,
)
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.package_checks import FETCHED, whole
from tuneatlas.config.packages import domain_options, in_order, source_packages
from tuneatlas.config.source import Found, keyed
from tuneatlas.errors import UserError

# Domains whose questions are files of the user's.
OWN = (FileDomain, SelfAligningDomain)


def check_questions(experiment: Experiment, root: Path) -> Found:
    """Questions of every file, and of published sets whose packages are fetched; all of them.

    Built-in facts are made if something is compared with them, or more are asked for than by
    default; else their packages are looked at by hash alone.
    """
    # Imported here, as a dry-run needs no tables.
    from tuneatlas.data.domains import Prepared, prepare_one, prepare_own, related_to
    from tuneatlas.data.duplicates import Key, index
    from tuneatlas.data.questions import check_followed
    from tuneatlas.tables import ROLES, Row

    config = resolve(experiment)
    share, seed = experiment.prepare_corpus.mentioned_share, experiment.seed

    def made(name: str, others: Mapping[Key, Row]) -> Prepared | None:
        """The questions of a domain, as far as they can be known now."""
        options = config["domains"][name]
        packages = source_packages(config, name)
        folders = [root / FETCHED / package for package in packages]
        fetched = all(whole(root, config, package) for package in packages)
        if options["source"] not in ("file", "self_aligning"):
            return prepare_one(name, folders, options, others, share, seed) if fetched else None
        named = {folder.name: folder for folder in folders}
        options = domain_options(config, name)

        def related(own: Sequence[Row]) -> list[Row]:
            return related_to(name, named, options, own, seed) if packages and fetched else []

        return prepare_own(name, root / options["path"], options, others, related)

    counted: dict[str, Counter[str]] = {}
    owners: dict[str, tuple[str, Path]] = {}
    others: dict[Key, Row] = {}
    # As the steps take them: of two domains the later one has the repetition.
    compared = any(domain.source != "facts" for domain in experiment.domains.values())
    for name in in_order(config):
        domain = experiment.domains[name]
        if isinstance(domain, FactsDomain) and not compared and not _asks_more(domain):
            continue
        at: tuple[str, ...] = ("domains", name)
        try:
            prepared = made(name, others)
        except UserError as error:
            yield keyed(error, at, (*at, "path") if isinstance(domain, OWN) else at)
            continue
        if prepared is None:
            continue
        if isinstance(domain, SelfAligningDomain):
            yield from _groups(experiment, root, name, prepared.rows)
        rows = prepared.rows
        others = index(rows) | others
        if isinstance(domain, BenchmarkDomain):
            yield from _too_few_published(experiment, name, domain, rows)
        if not isinstance(domain, OWN):
            continue
        if domain.tune and experiment.mix_instructions.contextualised and not prepared.contexts:
            text = (
                "has no question with a context: give it the column 'context', or leave out group"
            )
            yield (*at, "path"), f"{root / domain.path} {text} contextualised (mix_instructions)"
        path = root / domain.path
        counts = Counter((row["role"], row["split"]) for row in rows)
        for key, text in _too_few(experiment, domain, counts):
            yield (*at, *key), f"{path} {text}"
        repeated = [row["id"] for row in rows if row["id"] in owners]
        if repeated:
            other, file = owners[repeated[0]]
            text = f"{path} has {len(repeated)} ids that other domains have, such as "
            text += f"{repeated[0]!r} of {file} (domains.{other})"
            yield (*at, "path"), f"{text}: an id names one question, so change or leave out one"
        owners |= {row["id"]: (name, path) for row in rows}
        if experiment.restores:
            try:
                check_followed(row for row in rows if row["split"] == "test")
            except UserError as error:
                yield (*at, "path"), f"{path}: {error}"
        if experiment.stage_forgetting.groups and name in experiment.staged_domains:
            beyond = unreached(experiment.finetune_stages, name, counts["home", "train"])
            if beyond:
                yield ("finetune_stages", "steps"), beyond
        tests = Counter({role: counts[role, "test"] for role in ROLES})
        tests["related"] += len(domain.related)
        if any(tests.values()):
            counted[name] = tests
    yield from _none_out(experiment, counted)


def _asks_more(domain: FactsDomain) -> bool:
    """Whether a limit is above its default, of which it is known that there are so many."""
    usual = dict(Limits())
    return any(value > usual[name] for name, value in domain.limits)


def _too_few_published(
    experiment: Experiment, name: str, domain: BenchmarkDomain, rows: Sequence[Mapping[str, Any]]
) -> Found:
    """Few-shot pools whose size the config leaves to the sets, and that are too small."""
    counts = Counter((row["role"], row["split"]) for row in rows)
    shots = experiment.probe_knowledge.shots
    for role, limit in (("home", "dev"), ("related", "related_dev")):
        have = counts[role, "dev"]
        if counts[role, "test"] and have < shots and getattr(domain.limits, limit) is None:
            text = f"its sets have {have} few-shot questions, too few for {shots} shots"
            yield ("domains", name, "limits", limit), f"{text}: lower probe_knowledge.shots"


def _none_out(experiment: Experiment, counted: Mapping[str, Counter[str]]) -> Found:
    """A tuned domain without tests out of it; ``counted`` are those of question files, by role."""
    for tuned in experiment.tuned_domains:
        out = [
            counted[name][role] if name in counted else 1
            for name, roles in out_of_domain(experiment, tuned).items()
            for role in roles
        ]
        if out and not any(out):
            yield ("compare_groups", "ood_roles"), none_out(experiment, tuned)
            return


def _groups(
    experiment: Experiment, root: Path, name: str, rows: Sequence[Mapping[str, Any]]
) -> Found:
    """Released groups that are unsound, or whose questions are none of the domain's."""
    from tuneatlas.data.self_aligning import read_groups, refuse_unknown

    domain = experiment.domains[name]
    if not domain.tune or not isinstance(domain, SelfAligningDomain):
        return
    questions = {row["id"]: row for row in rows}
    for model, entry in experiment.models.items():
        if entry.released_groups is None:
            continue
        try:
            groups = read_groups(root / domain.path, entry.released_groups, name)
            refuse_unknown(groups, questions, name)
        except UserError as error:
            yield ("models", model, "released_groups"), str(error)


def _too_few(
    experiment: Experiment,
    domain: FileDomain | SelfAligningDomain,
    counts: Counter[tuple[str, str]],
) -> Found:
    if {split for _, split in counts} == {"train"} and not domain.related:
        text = "has questions of split train only, as one has that states none: say in the column "
        drawn = ", or by split: {dev: …, test: …} how many are drawn for each"
        text += "'split' which are dev (the few-shot pool) and which are test"
        yield ("path",), text + (drawn if isinstance(domain, FileDomain) else "")
        return
    for limit, asked in domain.limits:
        split = limit.removeprefix("related_")
        if split != limit and domain.related:
            continue  # sets have them
        have = counts["home" if limit == split else "related", split]
        if asked is not None and have < asked:
            text = f"has {have} such questions, {asked} are asked for: lower this, or add some"
            yield ("limits", limit), text
    steps = {"probe_knowledge": experiment.probe_knowledge.shots}
    own, shots = counts["related", "dev"], experiment.probe_knowledge.shots
    if domain.limits.related_dev is None and lacks_dev(domain) and own < shots:
        text = f"has {own} questions of role related in split dev, too few for {shots} shots, and "
        yield ("limits", "related_dev"), f"{text}its sets have none of their own: say how many"
    if domain.tune:
        steps["explain_predictions"] = experiment.explain_predictions.shots
    for role, step in product(("home", "related"), steps):
        if role == "related" and domain.related:
            continue  # sets have them
        have, shots = counts[role, "dev"], steps[step]
        # Predictions are explained for the questions trained on, of role home.
        asked = counts[role, "train"] + (counts[role, "test"] if step == "probe_knowledge" else 0)
        if asked and have < shots:
            text = f"has {have} questions of role {role} in split dev, too few for {shots} shots"
            yield ("path",), f"{text}: add some, or lower {step}.shots"
    if domain.tune and not counts["home", "train"]:
        yield ("path",), "has no question of role home in split train, but the domain is tuned"
    if not counts["home", "test"] + counts["related", "test"] + len(domain.related):
        yield ("path",), "has no question in split test"
