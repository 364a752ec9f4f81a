"""A checkpoint that is not whole is named, with what to do."""

from pathlib import Path

import pytest

from tuneatlas.errors import UserError
from tuneatlas.models import checkpoints


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "has no .*safetensors"),
        (lambda folder: cut(folder / "model.safetensors"), "is truncated"),
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "cannot be used"),
    ],
)
def test_a_checkpoint_that_is_not_whole(tmp_path, base, damage, message):
    damage(base)
    with pytest.raises(UserError, match=message) as caught:
        checkpoints.load_checkpoint(base)
    assert "delete the folder and run again" in str(caught.value)
    assert "\n" not in str(caught.value)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])
