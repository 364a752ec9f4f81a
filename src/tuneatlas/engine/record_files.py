"""Reading a sidecar record that anybody may have damaged, edited, or put there."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Len
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from tuneatlas.engine.files import open_file
from tuneatlas.engine.records import is_sealed

# A record names every file of a folder; one of a million files is about this long.
MOST_BYTES = 200_000_000
# Settings are nested some six deep.
DEEPEST = 40


def _within(output: str) -> str:
    if not output.startswith("results/") or {"", ".", ".."} & set(output.split("/")):
        raise ValueError("is no place in a results folder")
    return output


Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Step = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$")]


Change = Annotated[list[str | None], Len(2, 2)]


class Accepted(BaseModel):
    """A change of code that was accepted: what modules and libraries were, and what they became."""

    model_config = ConfigDict(extra="allow", strict=True)

    when: str
    who: str
    why: str
    modules: dict[str, Change]
    libraries: dict[str, Change]


class LetGo(BaseModel):
    """When the output was let go, and what the key ``keep`` of its step said."""

    model_config = ConfigDict(extra="allow", strict=True)

    when: str
    keep: str


class Record(BaseModel):
    """What a record must hold, and may hold, of what is read here; the rest is kept as it is."""

    model_config = ConfigDict(extra="allow", strict=True)

    output: Annotated[str, AfterValidator(_within)]
    sha256: Digest
    step: Step
    wildcards: dict[str, str]
    inputs: dict[str, str]
    options: dict[str, Any]
    code: dict[str, str]
    libraries: dict[str, str]
    # Records of older versions lack some of these.
    files: dict[str, Digest] = {}
    operations: dict[str, Any] = {}
    params: dict[str, Any] = {}
    accepted: list[Accepted] = []
    let_go: LetGo | None = None
    host: dict[str, Any] = {}
    seed: int | None = None
    log: str = ""
    wall_s: float | None = None
    cpu_s: float | None = None
    peak_mb: float | None = None


def read_record(path: Path) -> tuple[dict[str, Any] | None, str]:
    """A record, and what is wrong with it if anything is.

    One that has all its parts but no seal is given with the fault; of any other that is
    damaged, only the fault.
    """
    try:
        text = _text(path)
        record = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        if _depth(record) > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")
        Record.model_validate(record)
    except OSError as error:
        return None, f"it cannot be read: {error.strerror or error}"
    except RecursionError:
        return None, f"it is not a record: nested more than {DEEPEST} deep"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        return None, f"it is not a record, or a part of it is missing: {where}: {first['msg']}"
    except ValueError as error:
        return None, f"it cannot be read: {error}"
    if "seal" not in record:
        return record, "it has no seal, so nothing says that it is as it was written"
    if not is_sealed(text, record):
        return None, "it was edited after it was written: its seal is not that of its text"
    return record, ""


def _text(path: Path) -> str:
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MOST_BYTES:
            raise ValueError(f"{size / 1e6:.0f} MB are more than any record has")
        return stream.readall().decode("utf-8")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return depth
