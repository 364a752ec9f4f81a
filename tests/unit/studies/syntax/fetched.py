"""The fetched programs that some tests need: under results/, or where TUNEATLAS_SOURCES says."""

import os
from pathlib import Path

import pytest

from tests.examples import ROOT

SOURCES = Path(os.environ.get("TUNEATLAS_SOURCES", ROOT / "results" / "fetch_source"))


def fetched(*names: str) -> list[Path]:
    folders = [SOURCES / name for name in names]
    missing = [folder.name for folder in folders if not (folder / "source.json").is_file()]
    if missing:
        pytest.skip(f"not fetched: {', '.join(missing)} (looked in {SOURCES})")
    return folders
