"""docs/results.md: every file of a results folder, its columns and units, and how to read it."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from tuneatlas import tables
from tuneatlas.models import harness_items
from tuneatlas.studies.atlas import tables as atlas_tables
from tuneatlas.studies.syntax import tables as syntax_tables
from tuneatlas.tables import Column, Table

# Every kind of table that the workflow writes, by name.
TABLES = {
    table.name: table
    for module in (tables, syntax_tables, atlas_tables, harness_items)
    for table in vars(module).values()
    if isinstance(table, Table)
}
HEAD = """# What is in results/

<!-- Generated from the declared schemas by 'make config-docs': do not edit. -->

Every step writes below `results/STEP/`. A name in braces is a wildcard: a model, domain, group,
seed of the experiment ([terms](terms.md)). Beside each output lies `NAME.record.json`: inputs with
their SHA-256, options, code, library versions, time and memory ([auditing](auditing.md)). What a
job cost is in `benchmarks/`, what it said in `logs/`.

## Files

| file or folder | what it is | form |
|---|---|---|
"""
FORMS = {
    "model": "a Hugging Face folder: config, tokenizer, safetensors; the log of a training",
    "models": "Hugging Face folders",
    "metrics": "metrics.json; its tables as .csv and .tex; figures/ as .svg, .png, .pdf, .csv",
    "metrics of lm-evaluation-harness": "JSON",
    "page": "HTML",
    "pages": "HTML",
}
READING = """
## How to read them

**pandas**, all models, domains and seeds of a step at once, or a file:

```python
import tuneatlas

run = tuneatlas.open_run("results")
run.tables()  # step, kind, files, rows
answers = run.table("evaluate_knowledge", model="mini", group="harmonious")
accuracy = run.numbers("compare_groups", "mini", "accuracy")

import pandas as pd

probed = pd.read_parquet("results/probe_knowledge/mini/countries.parquet")
```

**R**, with the packages arrow, readr and jsonlite:

```r
answers  <- arrow::read_parquet("results/probe_knowledge/mini/countries.parquet")
accuracy <- readr::read_csv("results/compare_groups/mini/accuracy.csv")
metrics  <- jsonlite::fromJSON("results/compare_groups/mini/metrics.json")
```

**DuckDB**, without loading anything else:

```sql
SELECT filename, avg(correct::int)
FROM read_parquet('results/evaluate_knowledge/**/*.parquet', filename = true) GROUP BY 1;
```

**LaTeX**: each table as a `longtable` (packages booktabs and longtable), each figure as PDF:

```latex
\\input{results/compare_groups/mini/group_sizes.tex}
\\includegraphics{results/compare_groups/mini/figures/accuracy_by_group.pdf}
```

Units: a *nat* is a unit of information, log base e; *1* is a pure number, such as a share from 0
to 1. An empty unit is a text or a name. A column that may be null says so.
"""


@cache
def described() -> Mapping[str, Any]:
    """What is declared of files, and of tables of metrics and their columns."""
    text = Path(__file__).with_name("results.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


def results_markdown() -> str:
    """The page."""
    lines = list(_files())
    text = HEAD + "\n".join(lines) + "\n" + READING + "\n## Tables\n"
    for name, table in TABLES.items():
        text += "\n".join(_table(name, table)) + "\n"
    text += (
        "\n## Tables of metrics\n\n`value`, `low` and `high` are an estimate and its interval; "
        "`design` in each metrics.json\nsays over what, and at which level of confidence. Figures' "
        "CSV files have the rows that are drawn.\n"
    )
    for step, found in described()["metrics"].items():
        for name, metrics in found.items():
            text += "\n".join(_metrics(step, name, metrics)) + "\n"
    return text


def _files() -> Iterator[str]:
    for path, file in described()["files"].items():
        if name := file.get("table"):
            form = f"Parquet: [{name}](#{name})"
        elif file["form"] == "metrics":
            step = file.get("like") or path.split("/")[0]
            first = next(iter(described()["metrics"][step]))
            form = f"[metrics](#{step}-{first}): {FORMS['metrics']}"
        else:
            form = FORMS.get(file["form"], file["form"])
        yield f"| `results/{path}` | {file['what']} | {form} |"


def _table(name: str, table: Table) -> Iterator[str]:
    yield f"\n### {name}\n"
    where = [path for path, file in described()["files"].items() if file.get("table") == name]
    places = _names(f"results/{path}" for path in where)
    yield f"In {places}. A row is named by {_names(table.key)}.\n"
    yield "| column | type | unit | meaning |"
    yield "|---|---|---|---|"
    for column in table.columns:
        yield f"| `{column.name}` | {_type(column)} | {column.unit} | {_meaning(column)} |"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _type(column: Column) -> str:
    kind = column.type
    plain = kind.value_type if pa.types.is_list(kind) else kind
    name = "{role, content}" if pa.types.is_struct(plain) else str(plain)
    return f"list of {name}" if pa.types.is_list(kind) else name


def _meaning(column: Column) -> str:
    words = [column.description.replace("|", "\\|")]
    if column.allowed:
        words.append(f"one of {', '.join(f'`{value}`' for value in column.allowed)}")
    if column.nullable:
        words.append("may be null")
    return "; ".join(words)


def _metrics(step: str, name: str, metrics: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n### {step}: {name}\n"
    yield f"{metrics['what']}\n"
    yield "| column | unit | meaning |"
    yield "|---|---|---|"
    meanings = described()["columns"] | metrics.get("own", {})
    for column in metrics["columns"].split():
        unit, meaning = meanings[column]
        yield f"| `{column}` | {unit} | {meaning} |"
