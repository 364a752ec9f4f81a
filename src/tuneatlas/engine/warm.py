"""Jobs on a processor that need not import their libraries: they run in copies of a warm process.

Loading PyTorch and Transformers takes a short job two to three seconds of processor time. On one
machine a run starts one process that loads them (``warm_parent``). A job's script asks it for a
copy of itself (fork), which runs the script with the job's folder, environment, input and output;
the job's own process waits, passes on the signals that it gets, and ends as the copy ended. If it
is killed, so is the copy.

Where the warm process is not there yet, or was started in another environment, the script goes on
where it is, as without all this.
"""

import gc
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# The variable that tells jobs where the warm process listens.
ADDRESS = "TUNEATLAS_WARM"
# What the shell and the engine set anew for each job, and no library reads when it is loaded; all
# else must be as it was then.
OF_EACH = frozenset({"_", "OLDPWD", "PWD", "SHLVL", "TMPDIR", "TMP", "TEMPDIR", "TEMP", ADDRESS})
# What the engine sets for a job of one thread.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "GOTO_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
# Of others alone: the project's own code is read by each job, as it stands then.
LIBRARIES = (
    "numpy",
    "pyarrow.parquet",
    "torch",
    "tokenizers",
    "safetensors.torch",
    "snakemake.script",
    "transformers.models.llama.modeling_llama",
    "transformers.models.t5.modeling_t5",
    "transformers.trainer",
)
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# Warm processes: kept, as their standard input, which nothing is written to, is to be closed when
# this process ends and not before.
STARTED: list[subprocess.Popen[bytes]] = []
# What scripts consist of, as the run found it, by a digest of their sources (``digest.key_of``):
# copies need not find it again.
KNOWN: dict[str, dict[str, dict[str, str]]] = {}
# New objects after which garbage is looked for while libraries are loaded: never.
IMPORTED = 1_000_000
# Bytes of a socket's address that every Unix takes.
LONGEST_ADDRESS = 100


def start(known: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None) -> None:
    """Start a warm process for the jobs that this process starts from now on.

    ``known`` is what its copies have as ``KNOWN``.
    It ends with this process. None is started where a GPU is: what it is warmed up with cannot be
    shared, and jobs are long; nor where the variable ``TUNEATLAS_WARM`` is set, to nothing say.
    """
    wanted = ADDRESS not in os.environ and hasattr(os, "pidfd_open")
    if not wanted or any(Path("/dev").glob("nvidia[0-9]*")):
        return
    address = str(Path(tempfile.mkdtemp(prefix="tuneatlas-"), "warm"))
    if len(address) > LONGEST_ADDRESS:
        Path(address).parent.rmdir()
        return
    known_in(address).write_text(json.dumps(known or {}), encoding="utf-8")
    module = [sys.executable, "-m", "tuneatlas.engine.warm_parent", address, *LIBRARIES]
    # By a shell, as jobs are: it may set variables of its own.
    command = ["bash", "-c", f"exec {shlex.join(module)}"]
    STARTED.append(
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD,
            process_group=0,
        )
    )
    os.environ[ADDRESS] = address


def known_in(address: str) -> Path:
    """The file by which a warm process is told what is known; it takes it away."""
    return Path(address).with_name("known.json")


def lasting(environment: Mapping[str, str]) -> dict[str, str]:
    """What libraries may read when they are loaded."""
    return {name: value for name, value in environment.items() if name not in OF_EACH}


def hand_over() -> None:
    """Let a warm process run this script, and end as it ends; go on if there is none.

    Does nothing in a process that is no job's script.
    """
    if not hasattr(sys.modules["__main__"], "snakemake"):
        return
    # What a job imports stays. Looking for garbage among it, as Python does with every 700 new
    # objects, takes a sixth of the processor time of its start. A step sets it lower again.
    gc.set_threshold(IMPORTED)
    address = os.environ.pop(ADDRESS, None)
    if not address:
        return
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(address)
            _ask(line, sys.argv[0])
            answers = line.makefile("r", encoding="utf-8")
            copy = json.loads(answers.readline() or "null")
        except OSError:
            # It did not start, or has ended: nothing was begun.
            return
        if copy is None:
            return
        for number in PASSED_ON:
            signal.signal(number, lambda number, frame: _pass_on(copy, number))
        _end_as(answers.readline())


def _ask(line: socket.socket, script: str) -> None:
    request = {
        "script": str(Path(script).resolve()),
        "arguments": sys.argv,
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
    }
    words = json.dumps(request).encode() + b"\n"
    sent = socket.send_fds(line, [words], [0, 1, 2])
    line.sendall(words[sent:])


def _pass_on(copy: int, number: int) -> None:
    # It may have ended, and this process be about to.
    with suppress(ProcessLookupError):
        os.kill(copy, number)


def _end_as(word: str) -> None:
    """End with the copy's exit code, or by the signal that ended it."""
    status: Any = json.loads(word) if word else None
    if status is None:
        # As it would be after a kill of this very process.
        status = -signal.SIGKILL
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    # Nothing here is to be closed or written any more.
    os._exit(status)
