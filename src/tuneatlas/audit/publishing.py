"""A model's folder as the hub takes it: its files, and a card that says what it is and made of.

Nothing is uploaded. The same model gives the same bytes: a card has no dates.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.audit.lineage import Results
from tuneatlas.config.fields import COMMIT_PATTERN, HUB_PATTERN
from tuneatlas.engine.files import FOLDER_MARK, atomic, sha256_tree
from tuneatlas.engine.operations import split
from tuneatlas.errors import UserError
from tuneatlas.models.card import CARD, NOT_STATED, stated_licence
from tuneatlas.tables import open_parquet

# As the hub spells licences that many models have; of others it takes a name.
LICENCES = {
    *("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "gpl-3.0"),
    *("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"),
    *("llama2", "llama3", "llama3.1", "gemma", "openrail", "bigscience-bloom-rail-1.0"),
}
SCORES = "/scores.parquet"
BASE = "- Base model: "
OPENED = """```python
from transformers import AutoModelFor{kind}, AutoTokenizer

model = AutoModelFor{kind}.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
```"""


def publish_model(results: Results, name: str, target: Path, experiment: str, made_by: str) -> None:
    """Write ``target``: a model with a card made of what records say of it.

    Args:
        results: the run that made it.
        name: what records call the model's folder.
        target: a new folder; it appears whole or not at all.
        experiment: the name of the experiment.
        made_by: what is said of the code that made it.

    Raises:
        UserError: it is no model, not as its record says, or ``target`` is there.
    """
    folder, record = results.place(name), results.records[name]
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: holds no config.json with *.safetensors: it is no model")
    if target.exists() or target.is_symlink():
        raise UserError(f"{target}: is there already; name another folder (TO), or remove it")
    with atomic(target) as partial:
        shutil.copytree(folder, partial, ignore=shutil.ignore_patterns(FOLDER_MARK))
        # What was copied, and not what was there before.
        if sha256_tree(partial) != record["sha256"]:
            raise UserError(f"{folder}: is not what its record says: 'make audit' says more")
        text = hub_card(partial, results, name, experiment, made_by)
        (partial / CARD).write_text(text, encoding="utf-8")


def hub_card(folder: Path, results: Results, name: str, experiment: str, made_by: str) -> str:
    """The card: front matter as the hub reads it, how to open the model, how it was made."""
    record = results.records[name]
    licence = stated_licence(folder)
    before = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    # Base, its licence, data: as the step that made the model knew them.
    told = [line for line in before.splitlines() if line.startswith("- ")]
    base = next((line.removeprefix(BASE) for line in told if line.startswith(BASE)), "")
    is_known = licence.lower() in LICENCES
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    lasting, _ = split(record["options"])
    settings = _public({**lasting, **record.get("params", {})})
    which = ", ".join(f"{key} {value}" for key, value in record["wildcards"].items())
    lines = [
        "---",
        "library_name: transformers",
        f"license: {licence.lower() if is_known else 'other'}",
        *([] if is_known else [f"license_name: {json.dumps(licence)}"]),
        *([f"base_model: {base.split()[0]}"] if _is_of_hub(base) else []),
        f"tags: [tuneatlas, {record['step']}]",
        "---",
        f"# {experiment}: {record['step']} ({which})",
        "",
        "A model of an experiment on what tuning does to language models, made with tuneatlas. It",
        "was made to be measured, not to be used. Texts that it was trained on have licences of",
        "their own, which the experiment's report names."
        + (" Its base states no licence: see to it first." if licence == NOT_STATED else ""),
        "",
        OPENED.format(kind="Seq2SeqLM" if kind.get("is_encoder_decoder") else "CausalLM"),
        "",
        "## What it scores",
        "",
        *(list(evaluation(results, name)) or ["It was not evaluated by itself."]),
        "",
        "## How it was made",
        "",
        *(BASE + _public(base) if line.startswith(BASE) else line for line in told),
        *_rejected(results, record),
        f"- Step: `{record['step']}`, with {which}; its generator's seed: {record.get('seed')}",
        f"- Code: {made_by}",
        f"- SHA-256 of the folder as it was made, with another README.md: {record['sha256']}",
        *(f"- Input: `{_public(file)}`, SHA-256 {sha}" for file, sha in record["inputs"].items()),
        "- Libraries: " + ", ".join(f"{k} {v}" for k, v in record["libraries"].items()),
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| `{key}` | `{json.dumps(value)}` |" for key, value in sorted(settings.items())),
        "",
    ]
    return "\n".join(lines)


def _rejected(results: Results, record: Mapping[str, Any]) -> Iterator[str]:
    """Of preference tuning, the conversations whose replies the model was tuned away from."""
    other = record["options"].get("treatment", {}).get("over")
    for file, sha in record["inputs"].items():
        made = results.records.get(file)
        if made and made["step"] == "mix_instructions" and made["wildcards"]["group"] == other:
            yield f"- Data, replies that those above are preferred to: `{file}`, SHA-256 {sha}"


def _is_of_hub(base: str) -> bool:
    """Whether a card names a base by repository and commit; a folder may look like the former."""
    name, _, commit = base.partition(" ")
    return bool(re.fullmatch(HUB_PATTERN, name) and re.fullmatch(COMMIT_PATTERN, commit))


def _public(value: Any) -> Any:
    """A setting without where things lie on this machine: of an absolute path its last name."""
    if isinstance(value, Mapping):
        return {key: _public(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_public(one) for one in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def evaluation(results: Results, name: str) -> Iterator[str]:
    """A table of what a model scored by itself; of all models of its kind the report tells."""
    rows = [row for user in results.users.get(name, []) for row in _scored(results, user)]
    if rows:
        yield "| evaluated by | on | measure | value | 95% interval over these | items |"
        yield "|---|---|---|---|---|---|"
        yield from sorted(rows)


def _scored(results: Results, user: str) -> Iterator[str]:
    """The rows of an output that a model wrote: answers, or paraphrases that were scored."""
    import numpy as np

    from tuneatlas.statistics.intervals import accuracy_interval, mean_interval

    record = results.records[user]
    rng = np.random.default_rng(0)
    if user.endswith(".parquet"):
        with open_parquet(_as_made(results, user)) as file:
            columns, wanted = set(file.schema_arrow.names), ["domain", "correct", "split"]
            # Where a table has several settings, it is of several models.
            of_one = {*wanted} <= columns and "setting" not in columns
            rows = file.read(columns=wanted).to_pylist() if of_one else []
        found: dict[str, list[bool]] = {}
        for row in rows:
            if row["split"] == "test":
                found.setdefault(row["domain"], []).append(row["correct"])
        for domain, correct in found.items():
            interval = accuracy_interval(correct, rng)
            yield _row(record, domain, "accuracy", interval, len(correct))
    for scored in results.users.get(user, []):
        if results.records[scored]["step"] != "score_paraphrases" or not scored.endswith(SCORES):
            continue
        measures: dict[str, list[float]] = {}
        with open_parquet(_as_made(results, scored)) as file:
            rows = file.read(columns=["metric", "value"]).to_pylist()
        for row in rows:
            measures.setdefault(row["metric"], []).append(row["value"])
        for metric, values in measures.items():
            if len(values) > 1:
                interval = mean_interval(values, rng)
                yield _row(results.records[scored], "pairs", metric, interval, len(values))


def _row(record: Mapping[str, Any], on: str, measure: str, interval: Any, items: int) -> str:
    value, low, high = interval
    return (
        f"| `{record['step']}` | {on} | {measure} | {value:.3f} | {low:.3f} to {high:.3f} "
        f"| {items} |"
    )


def _as_made(results: Results, name: str) -> Path:
    """Where an output is, which holds what its step wrote.

    Raises:
        UserError: it is gone, or something else.
    """
    content = results.content(name)
    if content is None or not content.is_(results.records[name]["sha256"]):
        raise UserError(f"{results.place(name)}: gone, or not what the step wrote; run make audit")
    return results.place(name)
