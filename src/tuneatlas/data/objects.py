"""Files and folders of the user's in an object store: where they come to lie here, and how.

What is brought lies beside the user's other files, so that steps, records and checks know of no
store. Whatever talks to one is handed in: the workflow has the engine's storage plugins do it.
"""

import fcntl
import importlib.util
import json
import os
import posixpath
import re
from pathlib import Path
from typing import Protocol

from tuneatlas.engine.files import atomic, files_in
from tuneatlas.errors import UserError

# How an address begins, and the folder that objects come to lie in, by bucket and key.
STORE = "s3://"
BESIDE = "data/s3"
_ADDRESS = re.compile(r"s3://([A-Za-z0-9][\w.-]*)/([^{}?#*]+)")


class Stored(Protocol):
    """An object, or a folder of some, as a storage plugin of the engine has it."""

    query: str

    def exists(self) -> bool:
        """Whether it is there."""

    def mtime(self) -> float:
        """When it was last changed, in seconds; of a folder its newest object."""

    def size(self) -> int:
        """Bytes, of a folder those of all its objects."""

    def set_local_path(self, path: Path) -> None:
        """Say where `retrieve_object` is to put it."""

    def retrieve_object(self) -> None:
        """Bring it."""


def place_of(address: str) -> str:
    """Where an object comes to lie: ``s3://bucket/a/b`` in ``data/s3/bucket/a/b``.

    Raises:
        ValueError: it is not an address of one file or folder.
    """
    found = _ADDRESS.fullmatch(address)
    key = posixpath.normpath(found[2]) if found else "."
    if not found or key.startswith((".", "/")):
        raise ValueError(f"{address}: expected s3://BUCKET/KEY, of one file or folder")
    return posixpath.join(BESIDE, found[1], key)


def bring(stored: Stored, path: Path) -> bool:
    """Let what lies in a store lie at ``path`` too, whole or not at all; whether it was not yet.

    It has the time at which it was brought, as what was made of an older one is older than that. A
    note beside it says the time and size that it has in the store, by which it is known to be the
    same the next time, and what lies here; it is locked, so that one of several runs brings it.

    Raises:
        UserError: there is no such object, or the store does not answer.
    """
    try:
        return _bring(stored, path)
    except _errors() as error:
        raise UserError(
            f"{stored.query}: cannot be brought: {error}. Is the store up, and are its address and "
            "credentials right (SNAKEMAKE_STORAGE_S3_ENDPOINT_URL, docs/cluster.md)? A copy that "
            "lies here may be named in its place"
        ) from None


def _errors() -> tuple[type[Exception], ...]:
    """What a store's library raises, where it is installed: its own errors, which share no base."""
    if not importlib.util.find_spec("boto3"):
        return ()
    import boto3.exceptions
    import botocore.exceptions

    return (
        boto3.exceptions.Boto3Error,
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
    )


def _bring(stored: Stored, path: Path) -> bool:
    if not stored.exists():
        raise UserError(f"{stored.query}: there is no such object, or no folder with objects in it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.brought").open("a+", encoding="utf-8") as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        note.seek(0)
        there = {"time": stored.mtime(), "size": stored.size()}
        if path.exists() and note.read() == json.dumps(there | _here(path)):
            return False
        with atomic(path) as partial:
            stored.set_local_path(partial)
            stored.retrieve_object()
            for file in _files(partial):
                os.utime(file)
            if sum(file.stat().st_size for file in _files(partial)) != there["size"]:
                raise UserError(f"{stored.query}: changed while it was brought; run again")
        note.truncate(0)
        note.write(json.dumps(there | _here(path)))
    return True


def _files(path: Path) -> list[Path]:
    return files_in(path) if path.is_dir() else [path]


def _here(path: Path) -> dict[str, object]:
    """The size and time of each file of what lies here."""
    found = ((file.relative_to(path).as_posix(), file.stat()) for file in _files(path))
    return {"here": {name: [one.st_size, one.st_mtime_ns] for name, one in found}}
