"""How many questions a domain has: counted, as the config says, or assumed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from tuneatlas.data.benchmarks import parts_of

# Where nothing says it. Splits have the names of their limits.
ASSUMED = {"train": 1000, "test": 250, "related_test": 250}


@dataclass(frozen=True)
class Counts:
    """Questions of a domain by split, and the splits of which the number is assumed."""

    numbers: Mapping[str, int]
    assumed: frozenset[str]

    def __str__(self) -> str:
        """``182,822 train, 250 test (assumed)``; splits that are asked of a model."""
        said = {s: " (assumed)" if s in self.assumed else "" for s in ASSUMED}
        return ", ".join(
            f"{self.numbers[s]:,} {s}{more}" for s, more in said.items() if self.numbers[s]
        )


def count_questions(domain: str, entry: Mapping[str, Any], root: Path | None) -> Counts:
    """Questions of a domain, given its entry in the config; UserError if its file is unsound.

    A limit is what is taken at most of those that a question file under ``root``, the set sizes
    or the key ``expected`` say there are. None for ``root`` looks at no file.
    """
    known = _known(domain, entry, root)
    numbers: dict[str, int] = {}
    assumed = set()
    for split, limit in entry["limits"].items():
        said = [n for n in (limit, known.get(split)) if n is not None]
        numbers[split] = min(said) if said else ASSUMED.get(split, 0)
        if not said:
            assumed.add(split)
    return Counts(numbers, frozenset(assumed))


def _known(domain: str, entry: Mapping[str, Any], root: Path | None) -> dict[str, int | None]:
    if entry["source"] == "facts":
        return {}
    limits, related = entry["limits"], _size(entry["related"])
    if entry["source"] == "benchmark":
        # Training has what dev and test leave.
        home = _size(entry["home"])
        test = min(limits["test"], home)
        return {"test": test, "train": max(0, home - test - limits["dev"]), "related_test": related}
    path = root and root / entry["path"]
    here = path and (path.is_dir() if entry["source"] == "self_aligning" else path.is_file())
    known = _counted(domain, path, entry) if path and here else dict(entry["expected"])
    if related:
        known["related_test"] = (known.get("related_test") or 0) + related
    return known


def _counted(domain: str, path: Path, entry: Mapping[str, Any]) -> dict[str, int | None]:
    """Questions of a file in each of the splits that have a limit."""
    # Imported here, as few plans have their files at hand.
    from tuneatlas.data.questions import read_question_file
    from tuneatlas.data.self_aligning import read_released

    prefixes = {"home": "", "related": "related_"}
    if entry["source"] == "file":
        rows = read_question_file(path, domain, entry)
    else:
        rows = read_released(path, domain, entry.get("groups", ())).rows
    found = Counter(prefixes[row["role"]] + row["split"] for row in rows)
    return {split: found[split] for split in entry["limits"]}


def _size(sets: Sequence[str]) -> int:
    """Questions of published sets."""
    text = (files("tuneatlas") / "data" / "set_sizes.yaml").read_text(encoding="utf-8")
    sizes = yaml.safe_load(text)
    return sum(sizes[package][part] for package, part in parts_of(sets))
