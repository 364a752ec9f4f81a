"""The sidecar record of an output: where it stands, and the seal that shows an edit of it.

The seal is a digest without a key: it shows damage and edits, not who wrote the record.
"""

import hashlib
import json
import math
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
    plain = _finite(record)
    return _text({**plain, "seal": _seal(plain)})


def is_sealed(text: str, record: Mapping[str, Any]) -> bool:
    """Whether a record's text is as it was written; of one without a seal nothing says so."""
    # The seal is its last line, as a rule: what stands before it need not be written out again.
    ending = f',\n "seal": {json.dumps(record.get("seal"))}\n}}\n'
    if text.endswith(ending):
        rest = text.removesuffix(ending) + "\n}\n"
        return hashlib.sha256(rest.encode()).hexdigest()[:16] == record.get("seal")
    return record.get("seal") == _seal(record) and text == _text(record)


def _seal(record: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in record.items() if key != "seal"}
    return hashlib.sha256(_text(rest).encode()).hexdigest()[:16]


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, indent=1) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no word for a number that is not finite: null stands for it."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
