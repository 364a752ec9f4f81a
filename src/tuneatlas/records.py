"""The sidecar record of an output: where it stands, and the seal that shows any edit of it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SUFFIX = ".record.json"


def record_path(output: Path) -> Path:
    """Where the sidecar record of an output stands."""
    return output.with_name(output.name + SUFFIX)


def output_path(record: Path) -> Path:
    """The output that a sidecar record stands beside."""
    return record.with_name(record.name.removesuffix(SUFFIX))


def dump(record: Mapping[str, Any]) -> str:
    """The text of a record, sealed with a digest of the rest of it."""
    return _text({**record, "seal": _seal(record)})


def is_sealed(text: str, record: Mapping[str, Any]) -> bool:
    """Whether a record's text is as it was written; one without a seal cannot say."""
    return "seal" not in record or (record["seal"] == _seal(record) and text == _text(record))


def _seal(record: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in record.items() if key != "seal"}
    return hashlib.sha256(_text(rest).encode()).hexdigest()[:16]


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, indent=1) + "\n"
