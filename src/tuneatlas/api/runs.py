"""A finished run as pandas tables."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tuneatlas.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tuneatlas.audit.lineage import Results

# What a folder of metrics is read by; the rest beside it is drawn or written from it.
METRICS = "metrics.json"
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """A table of a run: the step that wrote it, its kind, its file, and the job's wildcards."""

    step: str
    kind: str
    path: Path
    wildcards: Mapping[str, str] = field(default_factory=dict)


class Run:
    """The tables and metrics of a results folder, as pandas has them; made by `open_run`.

    What a column means, and its unit, is in docs/results.md, and in ``frame.attrs["columns"]``.
    """

    def __init__(self, results: "Results") -> None:
        self._results = results
        self.folder = results.folder
        self._parts = sorted(_parts(results), key=lambda part: (part.step, part.kind, part.path))

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {len(self._parts)} tables)"

    def tables(self) -> "pd.DataFrame":
        """Which tables there are: ``step``, ``kind``, how many ``files`` and ``rows``.

        Example:
            >>> run = open_run(results)
            >>> run.tables().head(3)
                              step          kind  files  rows
            0   evaluate_knowledge       answers      1    10
            1  explain_predictions  explanations      1    10
            2      label_knowledge        labels      1    26
        """
        import pandas as pd

        from tuneatlas.tables import open_parquet

        found: dict[tuple[str, str], list[int]] = {}
        for part in self._parts:
            rows = int(_opened(part.path, open_parquet).metadata.num_rows)
            found.setdefault((part.step, part.kind), []).append(rows)
        return pd.DataFrame(
            [(*key, len(rows), sum(rows)) for key, rows in found.items()],
            columns=["step", "kind", "files", "rows"],
        )

    def table(self, step: str, kind: str | None = None, **wildcards: object) -> "pd.DataFrame":
        """All rows that a step wrote, of every model, domain, group and seed, in one table.

        Args:
            step: such as ``"probe_knowledge"``.
            kind: which of the step's tables, where it writes several (`tables` has them).
            wildcards: only of these jobs, such as ``model="mini", seed=0``.

        Returns:
            The table's columns, and before them one for each wildcard of the jobs (numbers where
            all are). A wildcard that is also a column of the table, as the domain that a model was
            tuned on is beside that of a question, is called ``run_domain``.

        Raises:
            UserError: the run has no such table, or it is damaged.

        Example:
            >>> answers = open_run(results).table("probe_knowledge", "answers", model="mini")
            >>> answers[["model", "id", "pred", "correct"]].head(2)
              model              id  pred  correct
            0  mini  numbers/next/4     0     True
            1  mini  numbers/next/5     1    False
        """
        import pandas as pd

        parts = self._chosen(step, kind, wildcards)
        frames: list[pd.DataFrame] = []
        columns: dict[str, dict[str, str]] = {}
        for part in parts:
            frame, columns = _read(part.path)
            for place, (name, value) in enumerate(part.wildcards.items()):
                frame.insert(place, f"run_{name}" if name in columns else name, value)
            frames.append(frame)
        table = pd.concat(frames, ignore_index=True)
        for name in set(table.columns) - set(columns):
            if all(str(value).isdecimal() for value in table[name].unique()):
                table[name] = table[name].astype(int)
        table.attrs["columns"] = columns
        return table

    def metrics(self, step: str, model: str) -> dict[str, Any]:
        """The whole of a comparison's ``metrics.json``: lists of rows, and what it is about.

        Args:
            step: ``compare_groups``, ``stage_forgetting``, ``compare_paraphrases`` …
            model: a model of the run, or its paraphraser.

        Raises:
            UserError: the run has none, or it is not what the step wrote.

        Example:
            >>> open_run(results).metrics("compare_groups", "mini")["accuracy"]["value"]
            0.5
        """
        from tuneatlas.audit.lineage import read_metrics

        name = f"results/{step}/{model}"
        if name not in self._results.records:
            have = sorted(n for n in self._results.records if self._results.place(n).is_dir())
            have = [n for n in have if (self._results.place(n) / METRICS).is_file()]
            raise UserError(f"{self.folder}: no metrics of {step}, {model}; there are: {have}")
        return read_metrics(self._results, name)

    def numbers(self, step: str, model: str, name: str) -> "pd.DataFrame":
        """One table of a comparison's metrics, such as ``accuracy``: what the report shows.

        Raises:
            UserError: there is none of this name.
        """
        import pandas as pd

        metrics = self.metrics(step, model)
        if not isinstance(metrics.get(name), list):
            have = sorted(key for key, value in metrics.items() if isinstance(value, list))
            raise UserError(f"{self.folder}: {step}, {model} has no table {name!r}; it has {have}")
        return pd.DataFrame(metrics[name])

    def _chosen(self, step: str, kind: str | None, wildcards: Mapping[str, object]) -> list[Part]:
        of_step = [part for part in self._parts if part.step == step]
        if not of_step:
            have = ", ".join(dict.fromkeys(part.step for part in self._parts))
            raise UserError(f"{self.folder}: no tables of step {step!r}; there are those of {have}")
        kinds = list(dict.fromkeys(part.kind for part in of_step))
        if kind is None and len(kinds) > 1:
            raise UserError(
                f"{step} writes several tables: say kind={' or '.join(map(repr, kinds))}"
            )
        kind = kind or kinds[0]
        if kind not in kinds:
            raise UserError(f"{step} writes no table {kind!r}, but {', '.join(kinds)}")
        of_kind = [part for part in of_step if part.kind == kind]
        for name, value in wildcards.items():
            there = list(dict.fromkeys(p.wildcards[name] for p in of_kind if name in p.wildcards))
            if str(value) not in there:
                known = ", ".join(of_kind[0].wildcards)
                told = f"of it are {', '.join(there)}" if there else f"jobs have {known}"
                raise UserError(f"{step}, {kind}: no job with {name}={value!r}; {told}")
            of_kind = [part for part in of_kind if part.wildcards.get(name) == str(value)]
        if not of_kind:
            raise UserError(f"{step}, {kind}: no job has all of {dict(wildcards)}")
        return of_kind


def open_run(folder: str | Path = "results") -> Run:
    """Open the results of a finished run, or of one that is still going.

    Args:
        folder: the results folder; it may have been moved or copied.

    Raises:
        UserError: it is not the results of this workflow.

    Example:
        >>> open_run(results).table("label_knowledge")["group"].value_counts().to_dict()
        {'incompatible': 10, 'self_aligning': 10, 'harmonious': 6}
    """
    from tuneatlas.audit.lineage import read_results

    return Run(read_results(Path(folder)))


def _parts(results: "Results") -> Iterator[Part]:
    """Every table of a run; steps that only show what others wrote have none."""
    from tuneatlas.tables import schema_of, table_name

    for name, record in results.records.items():
        place = results.place(name)
        inner = [place / file for file in record.get("files") or () if file.endswith(".parquet")]
        for path in inner or ([place] if name.endswith(".parquet") else []):
            # An output that is not there any more, as others that a run no longer keeps, is none.
            if path.is_file() and (kind := table_name(_opened(path, schema_of))):
                yield Part(record["step"], kind, path, record["wildcards"])


def _opened(path: Path, read: Callable[[Path], T]) -> T:
    """What ``read`` finds in a table; UserError if it is damaged."""
    import pyarrow as pa

    try:
        return read(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error}); run tuneatlas audit") from None


def _read(path: Path) -> "tuple[pd.DataFrame, dict[str, dict[str, str]]]":
    """A table, and what each of its columns means, with its unit."""
    found = _opened(path, _whole)
    said = {
        column.name: {key.decode(): text.decode() for key, text in (column.metadata or {}).items()}
        for column in found.schema
    }
    return found.to_pandas(), said


def _whole(path: Path) -> "pa.Table":
    from tuneatlas.tables import open_parquet

    with open_parquet(path) as file:
        return file.read()
