"""Files that appear whole or not at all, and their content hashes."""

import errno
import glob
import hashlib
import io
import os
import shutil
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# An empty file that the workflow engine puts into finished folders.
FOLDER_MARK = ".snakemake_timestamp"
# How the names of unfinished outputs begin.
PARTIAL = ".partial-"


# What stands where a file is wanted.
KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe"}


def open_file(path: Path) -> io.FileIO:
    """Open a file to read; a pipe, a device or a folder is refused, and never waited for.

    Raises:
        OSError: the path names no file, or one that cannot be read.
    """
    # Opening a pipe to which nobody writes would wait for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        what = KINDS.get(stat.S_IFMT(mode), "a device or a socket")
        raise OSError(errno.EINVAL, f"it is {what}, not a file", str(path))
    return io.FileIO(handle, "rb")


def read_file(path: Path) -> str:
    """The text of a whole file, in UTF-8; OSError as of `open_file`, ValueError if it is none."""
    with open_file(path) as stream:
        return stream.readall().decode("utf-8")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_tree(path: Path) -> str:
    """Hex SHA-256 of a file, or of a folder's relative names and contents."""
    return digest_files(sha256_files(path)) if path.is_dir() else sha256_file(path)


def files_in(folder: Path) -> list[Path]:
    """The files of a folder and of those within, in order; the workflow's mark is left out."""
    return listed(folder)[0]


def listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files of a folder and of those within, and what else stands there, in order.

    That is pipes, broken links, and links to folders, which are not followed.

    Raises:
        OSError: a folder within cannot be looked into.
    """
    files: list[Path] = []
    others: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_raise) if folder.is_dir() else ():
        others += [path for path in map(Path(parent).joinpath, folders) if path.is_symlink()]
        for path in map(Path(parent).joinpath, names):
            (files if path.is_file() else others).append(path)
    mark = folder / FOLDER_MARK
    if mark in files and not mark.stat().st_size:
        files.remove(mark)
    return sorted(files), sorted(others)


def _raise(error: OSError) -> None:
    raise error


def sha256_files(folder: Path) -> dict[str, str]:
    """Hex SHA-256 of each of the files of a folder, by relative path."""
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files_in(folder)}


def digest_files(files: Mapping[str, str]) -> str:
    """One hex SHA-256 over relative names and the hashes of their contents."""
    digest = hashlib.sha256()
    for name, content in files.items():
        # Names need not be text: those that are not stand as half characters.
        digest.update(f"{name}\0{content}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Flush a file, or a folder with all it holds, to the disk."""
    for child in [path, *path.rglob("*")] if path.is_dir() else [path]:
        _flush(child)


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink(missing_ok=True)


def readable(path: Path) -> None:
    """Let those read a file, or a folder with all it holds, whom the umask lets.

    Some libraries write files that their owner alone can read.
    """
    # There is no other way to ask; the mask that was is set again.
    mask = os.umask(0o022)
    os.umask(mask)
    for child in [path, *path.rglob("*")] if path.is_dir() else [path]:
        if not child.is_symlink():
            mode = child.stat().st_mode & 0o7777
            wanted = mode | ((0o555 if child.is_dir() else 0o444) & ~mask)
            if wanted != mode:
                child.chmod(wanted)


def partial_path(path: Path) -> Path:
    """Where this process writes an output before it is whole: beside it, hidden, same suffix.

    No other process writes there: a node that was given up for lost may still be at work on
    what another has taken over.
    """
    return path.with_name(f"{PARTIAL}{socket.gethostname()}.{os.getpid()}@{path.name}")


def clear_partials(path: Path) -> None:
    """Remove what earlier attempts at an output left behind."""
    for left in path.parent.glob(f"{PARTIAL}*@{glob.escape(path.name)}"):
        remove(left)


def publish(partial: Path, path: Path) -> None:
    """Flush ``partial`` and rename it to ``path``, replacing what stands there."""
    sync(partial)
    readable(partial)
    if path.is_dir():
        # A folder cannot be replaced in one rename; an interrupted job is re-run by the workflow.
        remove(path)
    os.replace(partial, path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a path to write to; it becomes ``path`` only if the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    clear_partials(path)
    try:
        yield partial
    except BaseException:
        remove(partial)
        raise
    publish(partial, path)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 text file, atomically."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")
