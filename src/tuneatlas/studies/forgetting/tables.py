"""Rows of the stage tables as arrays: every seed of a run, every model, the same questions."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuneatlas.data.scopes import SCOPES, scope_of
from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import Floats
from tuneatlas.tables import STAGE_ANSWERS, STAGE_TEXTS, Row, Table

# The setting of the paper: a model for each training set, whose size its steps follow from.
PAPER = "finetune"


def stage_name(setting: str, step: int) -> str:
    """A stage of a run, called the same in all replicates: the paper's setting has one alone."""
    return setting if setting == PAPER else f"{setting}/{step}"


class Cell(NamedTuple):
    """A model of a run: how it was tuned, for how many steps, and how far restored (percent)."""

    setting: str
    step: int
    restored: int


class StageTable:
    """STAGE_ANSWERS and STAGE_TEXTS of one run under all its seeds.

    Of several replicates a seed is called ``REPLICATE:SEED``, and those of one stand together.
    """

    def __init__(
        self,
        name: str,
        answers: Mapping[Any, Sequence[Row]],
        texts: Mapping[Any, Sequence[Row]],
    ) -> None:
        """Check that all models of all seeds were measured on the same."""
        self.name, self.seeds = name, sorted(answers)
        per_replicate = Counter(str(seed).rpartition(":")[0] for seed in self.seeds)
        self.replicates = len(per_replicate)
        if len(set(per_replicate.values())) != 1:
            raise UserError(f"{name}: its replicates were not tuned under as many seeds each")
        answers, texts = _one_end(answers), _one_end(texts)
        first = answers[self.seeds[0]]
        rows = {row["id"]: row for row in first}
        self.ids = sorted(rows)
        self.roles = [(rows[i]["domain"], rows[i]["role"]) for i in self.ids]
        self.options: NDArray[Any] = np.array([len(rows[i]["scores"]) for i in self.ids])
        self.answer: NDArray[Any] = np.array([rows[i]["answer"] for i in self.ids])
        cells = {seed: _by_cell(found, "id") for seed, found in answers.items()}
        self._chosen = {
            seed: {
                cell: np.array([by_id[i]["pred"] for i in self._same(cell, by_id, self.ids)])
                for cell, by_id in found.items()
            }
            for seed, found in cells.items()
        }
        self._tied = {
            seed: {
                cell: np.array([by_id[i]["tied"] > 0 for i in self.ids])
                for cell, by_id in found.items()
            }
            for seed, found in cells.items()
        }
        if len({tuple(sorted(cells)) for cells in self._chosen.values()}) != 1:
            raise UserError(f"{name}: its seeds were not measured at the same steps")
        self.texts = sorted({(r["kind"], r["id"]) for r in texts[self.seeds[0]]})
        self._texts = {
            seed: {
                cell: [by_id[t] for t in self._same(cell, by_id, self.texts)]
                for cell, by_id in _by_cell(found, "kind", "id").items()
            }
            for seed, found in texts.items()
        }

    def _same(self, cell: Cell, by_id: Mapping[Any, Row], wanted: Sequence[Any]) -> Sequence[Any]:
        if by_id.keys() != set(wanted):
            raise UserError(
                f"{self.name}: the model at {cell.setting} step {cell.step}, restored "
                f"{cell.restored}%, was measured on other questions or texts than the others"
            )
        return wanted

    def cells(self) -> list[Cell]:
        """All models, in order."""
        return sorted(self._chosen[self.seeds[0]])

    def steps(self, setting: str) -> list[int]:
        """Steps at which models of a setting were kept."""
        return sorted({cell.step for cell in self.cells() if cell.setting == setting})

    def chosen(self, cell: Cell) -> NDArray[Any]:
        """Index of the option chosen, shape (seeds, items)."""
        return np.stack([self._chosen[seed][cell] for seed in self.seeds])

    def correct(self, cell: Cell) -> NDArray[Any]:
        """Who is right, shape (seeds, items)."""
        return np.asarray(self.chosen(cell) == self.answer)

    def ties(self, cell: Cell) -> NDArray[Any]:
        """Where several options have the highest score, so that none is right: (seeds, items)."""
        return np.stack([self._tied[seed][cell] for seed in self.seeds])

    def nats(self, cell: Cell, kinds: Sequence[str]) -> tuple[Floats, Floats]:
        """Nats (seeds, texts) and bytes (texts,) of texts of these kinds."""
        tables = [
            [row for row in self._texts[seed][cell] if row["kind"] in kinds] for seed in self.seeds
        ]
        if not tables[0]:
            raise UserError(
                f"{self.name}: no held-out text of kind {' or '.join(kinds)} was measured; raise "
                "evaluate_stages.heldout_bytes or conversations"
            )
        nats = np.array([[row["nats"] for row in rows] for rows in tables])
        return nats, np.array([row["bytes"] for row in tables[0]], dtype=np.float64)

    def kinds(self) -> set[str]:
        """Kinds of text measured."""
        return {kind for kind, _ in self.texts}

    def scopes(self, domain: str, ood_roles: Collection[str]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Which items each accuracy is about; by scope only where a domain was tuned on."""
        yield "accuracy", np.ones(len(self.ids), dtype=bool)
        if domain:
            found = [scope_of(domain, *role, ood_roles) for role in self.roles]
            for scope in SCOPES:
                if scope in found:
                    yield f"accuracy_{scope}", np.array([s == scope for s in found])


def _one_end(tables: Mapping[Any, Sequence[Row]]) -> Mapping[Any, Sequence[Row]]:
    """With one number of steps of the paper's setting, their mean where replicates differ in it.

    Each replicate knows other facts, so its groups, and the training sets from them, are of other
    sizes.
    """
    ends = [{r["step"] for r in rows if r["setting"] == PAPER} for rows in tables.values()]
    if len(set(map(frozenset, ends))) == 1 or any(len(end) != 1 for end in ends):
        return tables
    mean = round(sum(step for end in ends for step in end) / len(ends))
    return {
        seed: [{**r, "step": mean} if r["setting"] == PAPER else r for r in rows]
        for seed, rows in tables.items()
    }


def _by_cell(rows: Sequence[Row], *key: str) -> dict[Cell, dict[Any, Row]]:
    found: dict[Cell, dict[Any, Row]] = {}
    for row in rows:
        cell = Cell(row["setting"], row["step"], row["restored"])
        name = row[key[0]] if len(key) == 1 else tuple(row[k] for k in key)
        found.setdefault(cell, {})[name] = row
    return found


def read_tables(
    base: Sequence[Path], runs: Sequence[Path]
) -> tuple[StageTable, dict[tuple[str, str], StageTable]]:
    """The base model's table and that of each (tuned domain, group), from files by seed.

    Files are ``…/{model}/{seed}.answers.parquet`` and ``….texts.parquet``, those of runs
    ``…/{model}/{domain}/{group}/{seed}…``. Several models are replicates of one.
    """
    several = len({path.parts[-2] for path in base}) > 1
    by_run: dict[tuple[str, str], list[Path]] = {}
    for path in runs:
        by_run.setdefault((path.parts[-3], path.parts[-2]), []).append(path)
    return read_table("the base model", base, -2 if several else None), {
        run: read_table(f"the run of {', '.join(run)}", paths, -4 if several else None)
        for run, paths in by_run.items()
    }


def read_table(name: str, paths: Sequence[Path], model: int | None = None) -> StageTable:
    """The table of one run, whose files of one seed are read one after the other.

    ``model``: which part of a path names the replicate, where there are several.
    """

    def read(table: Table, kind: str) -> dict[int | str, list[Row]]:
        found: dict[int | str, list[Row]] = {}
        for path in paths:
            if path.name.endswith(f".{kind}.parquet"):
                seed = int(path.name.split(".")[0])
                own: int | str = seed if model is None else f"{path.parts[model]}:{seed}"
                found.setdefault(own, []).extend(table.read(path))
        return found

    return StageTable(name, read(STAGE_ANSWERS, "answers"), read(STAGE_TEXTS, "texts"))
