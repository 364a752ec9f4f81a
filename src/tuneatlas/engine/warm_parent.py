"""The warm process: it has the libraries of short jobs loaded, and forks a copy for each.

It is the other end of ``warm``. Started by a run as ``python -m tuneatlas.engine.warm_parent
ADDRESS LIBRARY …``, it serves until its standard input is closed, which the end of the run does,
however it ends.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tuneatlas.engine.providers import providers
from tuneatlas.engine.warm import IMPORTED, KNOWN, OF_EACH, known_in, lasting

PR_SET_PDEATHSIG = 1
LONGEST = 1 << 20


def load(libraries: Iterable[str]) -> None:
    """Load what most jobs load."""
    gc.set_threshold(IMPORTED)
    for name in libraries:
        importlib.import_module(name)
    # Of which each job says the versions.
    providers()
    # So that copies share it: no collection touches it.
    gc.collect()
    gc.freeze()


class Copies:
    """The copies that run, and the jobs that wait for them."""

    def __init__(self, listener: socket.socket, loaded_in: Mapping[str, str]) -> None:
        """Listen for jobs, and for the end of the run.

        ``loaded_in``: the environment in which libraries were loaded, which those of jobs must be.
        """
        self.listener = listener
        self.loaded_in = loaded_in
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, ("job", None))
        self.selector.register(0, selectors.EVENT_READ, ("end", None))
        # By the copy's process id: the handle by which its end is seen, and the job's line.
        self.running: dict[int, tuple[int, socket.socket]] = {}
        self.ending = False

    def serve(self) -> dict[str, Any] | None:
        """Serve until the run ends (None); in a copy, what it is to run."""
        while self.running or not self.ending:
            for key, _ in self.selector.select():
                kind, pid = key.data
                if kind == "end" and not os.read(0, LONGEST):
                    self.ending = True
                    self.selector.unregister(0)
                elif kind == "job":
                    line, _ = self.listener.accept()
                    if request := self._begin(line):
                        return request
                elif kind == "gone" and pid in self.running:
                    # The job was killed: so is its copy, with all that it started.
                    os.killpg(pid, signal.SIGKILL)
                    self.selector.unregister(self.running[pid][1])
                elif kind == "ended":
                    self._end(pid)
        return None

    def _begin(self, line: socket.socket) -> dict[str, Any] | None:
        """Fork a copy for a job; None in the parent."""
        words, streams, _, _ = socket.recv_fds(line, LONGEST, 3)
        while not words.endswith(b"\n") and (more := line.recv(LONGEST)):
            words += more
        # What ends before its line does is of a job that was killed.
        request: dict[str, Any] = json.loads(words) if words.endswith(b"\n") else {}
        if lasting(request.get("environment", {})) != self.loaded_in or len(streams) != 3:
            for stream in streams:
                os.close(stream)
            line.close()  # the job goes on by itself
            return None
        sys.stdout.flush()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            self._become(streams, line, parent)
            return request
        # In both processes, as either may be first.
        os.setpgid(pid, pid)
        for stream in streams:
            os.close(stream)
        handle = os.pidfd_open(pid)
        self.running[pid] = (handle, line)
        self.selector.register(handle, selectors.EVENT_READ, ("ended", pid))
        self.selector.register(line, selectors.EVENT_READ, ("gone", pid))
        self._say(line, pid)
        return None

    def _become(self, streams: list[int], line: socket.socket, parent: int) -> None:
        """In the copy: a process group of its own, the job's streams, nothing of the other jobs."""
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        line.close()
        for handle, other in self.running.values():
            os.close(handle)
            other.close()
        self.selector.close()
        self.listener.close()

    def _end(self, pid: int) -> None:
        handle, line = self.running.pop(pid)
        _, status = os.waitpid(pid, 0)
        self.selector.unregister(handle)
        os.close(handle)
        if line.fileno() in self.selector.get_map():
            self.selector.unregister(line)
            self._say(line, os.waitstatus_to_exitcode(status))
        line.close()

    @staticmethod
    def _say(line: socket.socket, number: int) -> None:
        # A job that was killed hears nothing; that is seen by itself.
        with suppress(BrokenPipeError):
            line.sendall(f"{number}\n".encode())


def run(request: dict[str, Any]) -> None:
    """Be the process of a job's script."""
    # All else is the same, but for what libraries add when they are loaded.
    for name in OF_EACH:
        os.environ.pop(name, None)
    os.environ.update({k: v for k, v in request["environment"].items() if k in OF_EACH})
    os.chdir(request["folder"])
    sys.argv = request["arguments"]
    sys.path[0] = str(Path(request["script"]).parent)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    runpy.run_path(request["script"], run_name="__main__")


def end_at_once(is_through: list[bool]) -> None:
    """End a copy whose script came to its end: freeing object by object takes a quarter second.

    Where it did not, Python ends as it does, with the exit code that it has.
    """
    if any(is_through):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def main(address: str, *libraries: str) -> None:
    """Load, then serve."""
    is_through: list[bool] = []
    # What is registered first is called last, when threads have ended and all else is in order.
    atexit.register(end_at_once, is_through)
    with socket.socket(socket.AF_UNIX) as listener:
        loaded_in = lasting(os.environ)
        KNOWN.update(json.loads(known_in(address).read_text(encoding="utf-8")))
        known_in(address).unlink()
        load(libraries)
        # From here on it can be reached: jobs that start before do not wait.
        listener.bind(address)
        listener.listen(64)
        request = Copies(listener, loaded_in).serve()
    if request is not None:
        run(request)
        is_through.append(True)
        return
    Path(address).unlink()
    Path(address).parent.rmdir()


if __name__ == "__main__":
    main(*sys.argv[1:])
