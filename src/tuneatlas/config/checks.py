"""Combinations of values that cannot work, each key being fine on its own."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from tuneatlas.config.models.data import (
    BenchmarkDomain,
    BenchmarkLimits,
    DomainConfig,
    FactsDomain,
    FileDomain,
    FileLimits,
    Limits,
)
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.models.language_models import PackageModel, ScratchModel
from tuneatlas.config.models.paraphrase import STARTS, ScratchParaphraser
from tuneatlas.config.models.stages import FinetuneStages
from tuneatlas.config.shape import nearest
from tuneatlas.config.source import Key
from tuneatlas.config.trainings import trainings
from tuneatlas.data.benchmarks import have_dev, load_sets
from tuneatlas.data.sources import load_specs
from tuneatlas.errors import UserError
from tuneatlas.models.prompts import ChatTemplate, ExplainTemplate, QuestionTemplate, Template

# The keys involved, the one to change first, and what is wrong.
Conflict = tuple[tuple[Key, ...], str]
Check = Callable[[Experiment, Path], Iterator[Conflict]]

TEMPLATES = Path("config/templates")


def find_conflicts(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """All impossible combinations; templates are looked up under ``root``."""
    return chain.from_iterable(check(experiment, root) for check in CHECKS)


def _repeats(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    lists: dict[Key, tuple[float, ...]] = {
        ("seeds",): experiment.seeds,
        ("mix_instructions", "ratios"): experiment.mix_instructions.ratios,
        ("finetune_paraphrase", "shares"): experiment.finetune_paraphrase.shares,
        ("finetune_paraphrase", "seeds"): experiment.finetune_paraphrase.seeds or (),
    }
    for key, values in lists.items():
        for value, count in Counter(values).items():
            if count > 1:
                yield (key,), f"{value} is listed {count} times; each value runs once"


def _syntax(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    # Imported here, as few experiments have this study.
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format
    from tuneatlas.studies.syntax.pretraining.structure_tasks import STRUCTURE_TASKS
    from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS

    if not experiment.paraphrasers:
        return
    tuning, tasks = experiment.finetune_paraphrase, experiment.build_tasks
    masks, masked = experiment.pretrain_syntax.masks, ("pretrain_syntax", "masks")
    formats = sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))
    named: list[tuple[Key, tuple[str, ...], Iterable[str]]] = [
        (("finetune_paraphrase", "formats"), tuning.formats, formats),
        (("finetune_paraphrase", "starts"), tuning.starts, (*STARTS, *masks)),
        (("build_tasks", "structure_tasks"), tasks.structure_tasks, STRUCTURE_TASKS),
        (("build_tasks", "syntax_tasks"), tasks.syntax_tasks, SYNTAX_TASKS),
        *(((*masked, name), without, SYNTAX_TASKS) for name, without in masks.items()),
    ]
    for at, names, known in named:
        for name in names:
            if name not in known:
                yield (at,), f"there is no {name!r}{nearest(name, list(known))}"
    for name in {*tuning.formats}.intersection(formats):
        try:
            read_format(root / FOLDER / f"{name}.yaml")
        except UserError as error:
            yield (("finetune_paraphrase", "formats"),), str(error)
    for name, without in masks.items():
        if name in STARTS:
            yield ((*masked, name),), f"{name!r} is the name of another start: choose one"
        elif set(without) == set(SYNTAX_TASKS):
            yield ((*masked, name),), "no task of stage 2 is left: leave out fewer"
    if tuning.choose == "dev" and not experiment.prepare_sentences.pairs.dev and tuning.epochs > 1:
        text = "there are no pairs of dev to choose an epoch by: ask for some, or choose the last"
        yield (("prepare_sentences", "pairs", "dev"), ("finetune_paraphrase", "choose")), text
    files = experiment.prepare_sentences.files.model_dump(exclude={"columns"})
    missing = [name for name in ("train", "dev", "test", "licence") if not files[name]]
    if any(files.values()) and missing:
        yield (("prepare_sentences", "files", missing[0]),), "missing; your own files need it"
    for name, model in experiment.paraphrasers.items():
        if isinstance(model, ScratchParaphraser) and model.hidden_size % model.heads:
            key: Key = ("paraphrasers", name)
            text = f"{model.heads} heads do not divide hidden_size {model.hidden_size}"
            yield ((*key, "heads"), (*key, "hidden_size")), text


def _reserved(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    if "index" in experiment.models:
        text = "results/report/index.html is the page to open: choose another name for this model"
        yield (("models", "index"),), text


def _packages(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    """A package is fetched once, under its name: it cannot be two."""
    first: dict[str, tuple[str, PackageModel]] = {}
    for name, model in experiment.models.items():
        if not isinstance(model, PackageModel):
            continue
        at: Key = ("models", name, "package")
        if model.package in load_specs():
            yield (at,), f"{model.package!r} is the name of a data source of this workflow"
        if not model.file.endswith(".gguf"):
            text = f"{model.file!r}: weights in a package are read from .gguf files only"
            yield ((*at[:-1], "file"),), text
        other, one = first.setdefault(model.package, (name, model))
        for key in ("version", "sha256"):
            if getattr(model, key) != getattr(one, key):
                text = f"another {key} of this package than models.{other} has: use one of both"
                yield ((*at[:-1], key),), text


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


def _network(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    for name, model in experiment.models.items():
        if not isinstance(model, ScratchModel):
            continue
        at: Key = ("models", name)
        if model.hidden_size % (2 * model.heads):
            text = (
                f"{model.heads} heads do not divide hidden_size {model.hidden_size} into heads "
                "of an even width"
            )
            yield ((*at, "heads"), (*at, "hidden_size")), text
        if model.heads % model.kv_heads:
            text = f"{model.kv_heads} does not divide heads {model.heads}"
            yield ((*at, "kv_heads"), (*at, "heads")), text
        for key, rows in (
            ((*at, "training", "row_length"), model.training.row_length),
            (("finetune", "row_length"), experiment.finetune.row_length),
            *_staged_lengths(experiment),
        ):
            if rows > model.max_length:
                text = f"{rows} is more than models.{name}.max_length {model.max_length}"
                yield (key, (*at, "max_length")), text


def _staged_lengths(experiment: Experiment) -> list[tuple[Key, int]]:
    """Lengths that a model must hold if its tuning is followed in stages."""
    if not experiment.stage_forgetting.groups:
        return []
    return [
        (("finetune_stages", "row_length"), experiment.finetune_stages.row_length),
        (("restore_stages", "row_length"), experiment.restore_stages.row_length),
        (("evaluate_stages", "window"), experiment.evaluate_stages.window),
    ]


def _stages(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    tuning, study = experiment.finetune_stages, experiment.stage_forgetting
    for name in study.groups:
        if name not in experiment.groups:
            key: Key = ("stage_forgetting", "groups")
            yield (key,), f"no group {name!r}{nearest(name, experiment.groups)}"
    for name in study.domains or ():
        if name not in experiment.tuned_domains:
            key = ("stage_forgetting", "domains")
            yield (key,), f"{name!r} is no domain with tune: true"
    at: Key = ("finetune_stages", "steps")
    if list(tuning.steps) != sorted(set(tuning.steps)):
        yield (at,), "steps must rise, each listed once"
    if list(experiment.restore_stages.curve) != sorted(set(experiment.restore_stages.curve)):
        yield (("restore_stages", "curve"),), "shares must rise, each listed once"
    if not study.groups:
        return
    for name in experiment.staged_domains:
        most = experiment.domains[name].limits.train if name in experiment.domains else None
        text = unreached(tuning, name, most) if most is not None else None
        if text:
            yield (at, ("finetune_stages", "epochs"), ("finetune_stages", "batch")), text
            break
    for name, model in experiment.models.items():
        given = experiment.prepare_restoration.corpus or experiment.prepare_restoration.package
        if not isinstance(model, ScratchModel) and not given:
            text = (
                f"missing: model {name!r} was not pre-trained here, so name a text distributed "
                "like its pre-training data to restore it with"
            )
            yield (("prepare_restoration", "corpus"), ("models", name)), text
    if experiment.prepare_restoration.corpus and not experiment.prepare_restoration.licence:
        yield (("prepare_restoration", "licence"),), "missing; state the licence of corpus"


def unreached(tuning: FinetuneStages, name: str, most: int) -> str | None:
    """What is said of steps after the end of a run on ``most`` training questions of a domain.

    A group has all of them at most; whether it has fewer shows the probe.
    """
    last = tuning.epochs * -(-most // tuning.batch)
    beyond = [str(n) for n in tuning.steps if n > last]
    if not beyond or tuning.batch_unit != "examples":
        return None
    return (
        f"{', '.join(beyond)} are never reached: {tuning.epochs} epochs of at most {most} "
        f"questions of {name!r} in batches of {tuning.batch} are {last} steps; raise "
        "epochs or leave these steps out"
    )


def _batches(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    for at, training in trainings(experiment).items():
        if training.batch_unit == "rows" and training.batch % training.rows_per_device:
            text = f"a batch of {training.batch} rows is no multiple of {training.rows_per_device}"
            yield ((*at, "rows_per_device"), (*at, "batch"), (*at, "batch_unit")), text
        if training.processes % training.nodes:
            text = f"{training.nodes} nodes cannot share {training.processes} processes evenly"
            yield ((*at, "nodes"), (*at, "processes")), text
        if at[0] == "models" and training.nodes > 1:
            yield ((*at, "nodes"),), "a model from scratch is small: it is trained on one node"


def _domains(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    domains = experiment.domains
    if not experiment.tuned_domains:
        yield (("domains",),), "no domain has tune: true, so there is nothing to tune on"
    if len(domains) < 2:
        yield (("domains",),), "one domain only: tests out of the domain need a second one"
    for name, domain in domains.items():
        yield from _shots(experiment, name, domain.limits)
    facts = [name for name, domain in domains.items() if isinstance(domain, FactsDomain)]
    if facts:
        known = built_in_domains()
        for name in facts:
            if name not in known:
                key: Key = ("domains", name, "source")
                yield (key,), f"no built-in domain {name!r}{nearest(name, known)}"


def _out_of_domain(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    if len(experiment.domains) > 1:
        for name in experiment.tuned_domains:
            if not any(out_of_domain(experiment, name).values()):
                yield (("compare_groups", "ood_roles"),), none_out(experiment, name)
                return


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


def lacks_dev(domain: BenchmarkDomain | FileDomain) -> bool:
    """Whether all its related sets, if there are any, leave open which questions to show."""
    known = [word for word in domain.related if word in load_sets()]
    return bool(known) and not have_dev(known)


def _benchmarks(experiment: Experiment, root: Path) -> Iterator[Conflict]:
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


def _shots(
    experiment: Experiment, name: str, limits: Limits | FileLimits | BenchmarkLimits
) -> Iterator[Conflict]:
    probe, explain = experiment.probe_knowledge.shots, experiment.explain_predictions.shots
    domain = experiment.domains[name]
    home, related = True, bool(limits.related_test)
    if isinstance(domain, BenchmarkDomain):
        home, related = bool(domain.home), bool(domain.related)
    elif isinstance(domain, FileDomain) and domain.related:
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


def _corpus(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    corpus = experiment.prepare_corpus
    at = "prepare_corpus"
    if corpus.mentions_min > corpus.mentions_max:
        text = f"{corpus.mentions_min} is more than mentions_max {corpus.mentions_max}"
        yield ((at, "mentions_min"), (at, "mentions_max")), text


def _templates(experiment: Experiment, root: Path) -> Iterator[Conflict]:
    probe, mix = experiment.probe_knowledge, experiment.mix_instructions
    evaluate = experiment.evaluate_knowledge
    uses: list[tuple[str, str, str, type[Template]]] = [
        ("probe_knowledge", "question_template", probe.question_template, QuestionTemplate),
        ("mix_instructions", "question_template", mix.question_template, QuestionTemplate),
        ("evaluate_knowledge", "question_template", evaluate.question_template, QuestionTemplate),
        ("evaluate_knowledge", "chat_template", evaluate.chat_template, ChatTemplate),
        ("finetune", "chat_template", experiment.finetune.chat_template, ChatTemplate),
        (
            "finetune_stages",
            "chat_template",
            experiment.finetune_stages.chat_template,
            ChatTemplate,
        ),
        (
            "explain_predictions",
            "explain_template",
            experiment.explain_predictions.explain_template,
            ExplainTemplate,
        ),
    ]
    scored = {"probe_knowledge": probe.scoring, "evaluate_knowledge": evaluate.scoring}
    folders = {QuestionTemplate: "questions", ChatTemplate: "chat", ExplainTemplate: "explain"}
    for section, option, name, kind in uses:
        folder = root / TEMPLATES / folders[kind]
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
        if isinstance(template, ChatTemplate) and not template.end.strip():
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


def built_in_domains() -> list[str]:
    """Names of the domains of facts that come with the package."""
    from tuneatlas.data.facts import DOMAINS

    return sorted(DOMAINS)


CHECKS: tuple[Check, ...] = (
    _repeats,
    _reserved,
    _packages,
    _ratios,
    _ways,
    _network,
    _syntax,
    _batches,
    _stages,
    _domains,
    _out_of_domain,
    _benchmarks,
    _corpus,
    _templates,
    _harness,
)
