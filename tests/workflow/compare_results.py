"""Compare two results folders byte by byte: python compare_results.py A B.

Sidecar records differ by design, as they hold times, and so does the audit page, which shows
them; all else must be equal.
"""

import sys
from pathlib import Path

from tuneatlas.engine.files import sha256_file


def contents(results: Path) -> dict[str, str]:
    """SHA-256 of each file but the records, by relative path."""
    return {
        path.relative_to(results).as_posix(): sha256_file(path)
        for path in sorted(results.rglob("*"))
        if path.is_file() and not path.name.endswith(".record.json")
        if path.relative_to(results).parts[0] != "audit"
    }


def differences(one: Path, other: Path) -> list[str]:
    """A line for each file that is missing on a side or differs."""
    a, b = contents(one), contents(other)
    lines = [f"only in {one}: {name}" for name in sorted(a.keys() - b.keys())]
    lines += [f"only in {other}: {name}" for name in sorted(b.keys() - a.keys())]
    lines += [f"differs: {name}" for name in sorted(a.keys() & b.keys()) if a[name] != b[name]]
    return lines


if __name__ == "__main__":
    first, second = map(Path, sys.argv[1:])
    found = differences(first, second)
    print("\n".join(found) or f"{len(contents(first))} files, all equal")
    sys.exit(bool(found))
