"""What rules ask of the formats of paraphrases. Imported when a workflow is planned: light."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tuneatlas.config.replicates import members
from tuneatlas.config.slices import paraphraser_options


@cache
def paraphrase_files(name: str, project: Path) -> tuple[str, ...]:
    """The file of a format of paraphrases, and those of the formats that it is like."""
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, format_files

    return tuple(map(str, format_files(project / FOLDER / f"{name}.yaml")))


@cache
def trained_format(name: str, project: Path) -> str:
    """The format that models are tuned in which write paraphrases in a format."""
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, trained_as

    return trained_as(project / FOLDER / f"{name}.yaml")


def comparison_options(
    config: Mapping[str, Any], project: Path, paraphraser: str
) -> dict[str, Any]:
    """How paraphrases are compared, and what is to be said of how they came about.

    ``one_start``: all replicates start from the same weights, which were brought.
    """
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format

    tuning = config["finetune_paraphrase"]
    files = {name: project / FOLDER / f"{name}.yaml" for name in tuning["formats"]}
    masks = config["pretrain_syntax"]["masks"]
    models = config["paraphrasers"]
    own = members(models).get(paraphraser, [paraphraser])
    brought = [paraphraser_options(config, name) for name in own]
    one = len(own) > 1 and brought[0]["source"] != "scratch" and brought == brought[:1] * len(own)
    return {
        **config["compare_paraphrases"],
        "oracles": [name for name, path in files.items() if read_format(path).oracle],
        "choose": tuning["choose"],
        "without": {start: masks[start] for start in tuning["starts"] if start in masks},
        "retokenise": config["score_paraphrases"]["retokenise"],
        **({"one_start": True} if one else {}),
    }
