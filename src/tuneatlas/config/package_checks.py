"""Are fetched packages what was fetched, and does the mirror have those that will be?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneatlas.config.load import resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.packages import source_spec, used_packages
from tuneatlas.config.source import Found
from tuneatlas.data.sources import SourceSpec, mirrored, read_record
from tuneatlas.engine.files import files_in, sha256_file
from tuneatlas.engine.record_files import read_record as read_sidecar
from tuneatlas.engine.records import record_path
from tuneatlas.errors import UserError

FETCHED = Path("results/fetch_source")
# Bytes of a package that are read; the rest of larger ones is looked at by its names alone.
HASHED = 2 * 2**30


def check_packages(experiment: Experiment, root: Path) -> Found:
    """Fetched packages that are damaged, and those that a mirror does not have."""
    config = resolve(experiment)
    mirror = experiment.fetch_source.mirror
    if mirror is not None and not (root / mirror).is_dir():
        yield ("fetch_source", "mirror"), f"there is no folder {root / mirror}"
        mirror = None
    for package, key in used_packages(config).items():
        spec = SourceSpec(**source_spec(config, package))
        try:
            if (root / FETCHED / package).exists():
                _refuse_damaged(root / FETCHED / package, spec)
            elif mirror is not None:
                key = ("fetch_source", "mirror")
                mirrored(spec, root / mirror)
        except UserError as error:
            yield key, str(error)
        except OSError as error:
            yield key, f"{error.filename or package} cannot be read: {error.strerror}"


def to_fetch(config: Mapping[str, Any], root: Path) -> list[str]:
    """The packages that a run reads and that are not here yet."""
    return [name for name in used_packages(config) if not (root / FETCHED / name).exists()]


def whole(root: Path, config: Mapping[str, Any], package: str) -> bool:
    """Whether a package is fetched, as it was when its record was written."""
    folder = root / FETCHED / package
    try:
        if folder.exists():
            _refuse_damaged(folder, SourceSpec(**source_spec(config, package)))
            pinned = source_spec(config, package)["sha256"]
            return bool(read_record(folder).get("sha256") == pinned)
    except (UserError, OSError):
        return False  # said of the package
    return False


def _refuse_damaged(folder: Path, spec: SourceSpec) -> None:
    """Raise UserError unless a folder holds what its record says was put there."""
    again = f"remove {folder} and {record_path(folder).name} beside it, and it is fetched again"
    try:
        said = read_record(folder)
    except UserError:
        raise UserError(f"{folder} is not a fetched package: {again}") from None
    if said.get("sha256") != spec.sha256:
        return  # of another version: it will be fetched
    lacking = [name for name in spec.files if not (folder / name).exists()]
    if lacking:
        raise UserError(f"{folder} lacks {lacking[0]}: {again}")
    record, _ = read_sidecar(record_path(folder))
    files: Mapping[str, str] = (record or {}).get("files", {})
    here = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
    if files and (other := sorted(files.keys() ^ here.keys())):
        raise UserError(f"{folder}: {other[0]} is not as it was fetched (missing, or new): {again}")
    left = HASHED
    for name, digest in files.items():
        left -= here[name].stat().st_size
        if left >= 0 and sha256_file(here[name]) != digest:
            raise UserError(f"{folder / name} is damaged (not as it was fetched): {again}")
