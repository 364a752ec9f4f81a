"""The files that are generated from the config models: defaults, schema and reference table."""

import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from tuneatlas.config.fields import Section
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.results_page import results_markdown
from tuneatlas.config.shape import Choice, Leaf, Named, Shape, shape_of, type_name
from tuneatlas.data.licences import licences_markdown
from tuneatlas.engine.files import write_text

WIDTH = 96
REPAIR = "make config-docs"
NOTE = f"Generated from the config models by '{REPAIR}': do not edit."


@dataclass(frozen=True)
class Entry:
    """A key of the config: where it stands, its field, and what may stand in it.

    ``path`` holds ``NAME`` for a name of your choice.
    """

    path: tuple[str, ...]
    field: FieldInfo
    shape: Shape

    @property
    def unit(self) -> str:
        """Unit of the value, or empty."""
        return self._extra("unit")

    @property
    def source(self) -> str:
        """Where the default comes from, or empty."""
        return self._extra("source")

    @property
    def default(self) -> str:
        """The default as it is written in YAML; empty where there is none."""
        if self.field.is_required():
            return ""
        return _scalar(self.field.get_default())

    def _extra(self, name: str) -> str:
        extra = self.field.json_schema_extra
        return str(extra.get(name, "")) if isinstance(extra, dict) else ""


def entries(section: type[Section], path: tuple[str, ...] = ()) -> Iterator[Entry]:
    """The keys of one section, in the order they are declared."""
    # What tells sections apart comes first.
    for name, field in sorted(section.model_fields.items(), key=lambda f: f[0] != "source"):
        yield Entry((*path, name), field, shape_of(field.rebuild_annotation()))


def _scalar(value: Any) -> str:
    """A value as both YAML 1.1 and 1.2 read it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_scalar(own)}' for key, own in value.items())}}}"
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return value if re.fullmatch(r"[a-z][\w-]*", value) else text
    return re.sub(r"^(-?\d+)e", r"\1.0e", text)


def generated_files() -> dict[Path, str]:
    """Path, relative to the project, and text of each generated file."""
    return {
        Path("config/defaults.yaml"): defaults_yaml(),
        Path("config/schema.json"): schema_json(),
        Path("docs/config.md"): reference_markdown(),
        Path("docs/licences.md"): licences_markdown(),
        Path("docs/results.md"): results_markdown(),
    }


def outdated_files(root: Path) -> list[Path]:
    """Generated files that do not say what the models say."""
    return [
        path
        for path, text in generated_files().items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def write_files(root: Path) -> list[Path]:
    """Write the generated files that are outdated; return them."""
    outdated = outdated_files(root)
    for path, text in generated_files().items():
        if path in outdated:
            write_text(root / path, text)
    return outdated


def schema_json() -> str:
    """JSON schema of an experiment whose includes are merged."""
    schema = {"$comment": NOTE, **Experiment.model_json_schema()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def defaults_yaml() -> str:
    """Every key with its default, explained by comments. Keys without a default are comments."""
    head = [
        f"# {NOTE}",
        "#",
        "# All keys of an experiment and their defaults. An experiment states only what it wants",
        "# otherwise, and at least models and domains.",
    ]
    lines = [*head, ""]
    for entry in entries(Experiment):
        lines += [*_yaml(entry, ""), ""]
    return "\n".join(lines).rstrip() + "\n"


def _yaml(entry: Entry, indent: str) -> Iterator[str]:
    """A key and all below it, each line after ``indent`` (which may make it a comment)."""
    name, shape = entry.path[-1], entry.shape
    yield from _comment(_explanation(entry), indent)
    default = entry.field.get_default()
    if isinstance(shape, Leaf) and isinstance(default, dict):
        yield f"{indent}{name}:"
        for key, values in default.items():
            yield f"{indent}  {key}:"
            yield from (f"{indent}    - {_scalar(value)}" for value in values)
    elif isinstance(shape, Leaf):
        yield f"{indent}{name}: {entry.default or '...'}"
    elif isinstance(shape, type):
        yield f"{indent}{name}:"
        for inner in entries(shape, entry.path):
            yield from _yaml(inner, f"{indent}  ")
    elif isinstance(shape, Named) and isinstance(shape.item, Choice | type):
        yield f"# {name}:"
        item = shape.item
        for tag, section in (item.members if isinstance(item, Choice) else {"": item}).items():
            yield "#"
            yield from _comment(section.__doc__ or "", "#   ")
            yield "#   NAME:"
            for inner in entries(section, (*entry.path, "NAME")):
                for line in _yaml(inner, "#     "):
                    yield line.replace("source: ...", f"source: {tag}")


def _comment(text: str, indent: str) -> list[str]:
    start = f"{indent}# "
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=start)


def _explanation(entry: Entry) -> str:
    text = entry.field.description or ""
    if isinstance(entry.shape, Leaf):
        unit = f", unit: {entry.unit}" if entry.unit not in ("", "1") else ""
        text += f" [{type_name(entry.shape.annotation)}{unit}]"
    return f"{text} ({entry.source})" if entry.source else text


def reference_markdown() -> str:
    """The reference table of all keys, one table per section."""
    lines = [
        "# Config reference",
        "",
        f"<!-- {NOTE} -->",
        "",
        "One YAML file per experiment. `include: other.yaml` takes another file as the base and",
        "states only the difference: mappings are merged key by key, anything else is replaced, a",
        "mapping with another `source` replaces the base's whole, and `null` removes a mapping.",
        "Paths are relative to the folder the workflow runs in, the path of an include to the",
        "file that states it. Unknown keys are refused. `tuneatlas config show FILE` prints an",
        "experiment with all its defaults.",
        "",
        "Defaults are the paper's where it gives one; the last column cites it.",
    ]
    tops = [e for e in entries(Experiment)]
    lines += _table("Top level", "", [e for e in tops if isinstance(e.shape, Leaf)])
    for entry in tops:
        lines += _chapter(entry.path, entry.shape)
    return "\n".join(lines) + "\n"


def _chapter(path: tuple[str, ...], shape: Shape) -> list[str]:
    if isinstance(shape, Named):
        return _chapter((*path, "NAME"), shape.item)
    lines: list[str] = []
    if isinstance(shape, Choice):
        for tag, section in shape.members.items():
            lines += _section(path, section, f", `source: {tag}`")
    elif isinstance(shape, type):
        lines += _section(path, shape, "")
    return lines


def _section(path: tuple[str, ...], section: type[Section], suffix: str) -> list[str]:
    inner = list(entries(section, path))
    title = f"`{'.'.join(path)}`{suffix}"
    lines = _table(title, section.__doc__ or "", [e for e in inner if isinstance(e.shape, Leaf)])
    for entry in inner:
        lines += _chapter(entry.path, entry.shape)
    return lines


def _table(title: str, text: str, rows: list[Entry]) -> list[str]:
    lines = ["", f"## {title}", *(["", text] if text else []), ""]
    lines += ["| Key | Type | Default | Unit | Meaning | Source |", "|---|---|---|---|---|---|"]
    return lines + [_row(entry) for entry in rows]


def _row(entry: Entry) -> str:
    assert isinstance(entry.shape, Leaf)
    cells: list[Any] = [
        f"`{entry.path[-1]}`",
        type_name(entry.shape.annotation),
        f"`{entry.default}`" if entry.default else "required",
        entry.unit,
        entry.field.description or "",
        entry.source,
    ]
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"
