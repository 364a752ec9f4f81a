"""Helpers of the config tests: write experiments, and read back what is said about bad ones."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.examples import ROOT
from tuneatlas.config.load import load_config
from tuneatlas.errors import UserError

GOOD = """\
name: good
models:
  small:
    source: scratch
    heads: 6
    hidden_size: 192
    max_length: 2048
domains:
  countries:
    source: facts
    tune: true
  elements: {source: facts}
finetune:
  row_length: 512
mix_instructions:
  ratios: [0.2, 0.4]
"""


def complaints(folder: Path, text: str, **files: str) -> list[str]:
    """What load_config says about a config, one entry per problem, without the heading."""
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    path = folder / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_config(path, root=ROOT)
    lines = [line.strip().replace(f"{folder}/", "") for line in str(caught.value).splitlines()]
    if len(lines) > 1:
        heading = lines.pop(0)
        assert heading == f"bad.yaml: {len(lines)} problems in the config:"
    return lines


def dump(path: Path, data: dict[str, Any]) -> Path:
    """Write plain data as YAML."""
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(data, stream)
    return path
