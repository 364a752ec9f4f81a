"""A job's script runs in a copy of the warm process as it would run by itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuneatlas.engine import warm, warm_parent

# The engine's preamble defines `snakemake`; the step's module hands over.
PREAMBLE = "snakemake = 1\nfrom tuneatlas.engine import warm\nwarm.hand_over()\n"
LONG_S = 60
# What the run found of a script.
FOUND = {"key": {"modules": {"frame": "1"}, "libraries": {"numpy": "2"}}}


def until(holds, seconds: float = 20.0) -> None:
    """Wait for something that is about to come true."""
    last = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < last, "in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rsplit(")", 1)[1].split()[0] != "Z"


class Run:
    """A run whose warm process has loaded one small module, in the environment of its jobs."""

    def __init__(self) -> None:
        warm.start(FOUND)
        self.process = warm.STARTED.pop()
        self.environment = dict(os.environ)
        self.address = Path(self.environment[warm.ADDRESS])
        until(self.address.exists)

    def job(self, folder: Path, code: str, **more: str) -> subprocess.Popen[str]:
        return job(folder, code, self.environment | more)

    def waiting(self, folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
        """A job that waits, and the processes of its copy and of what the copy started."""
        made = self.job(folder, WAIT)
        until((folder / "ready").exists)
        return made, [int(pid) for pid in (folder / "ready").read_text().split()]


def job(folder: Path, code: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    script = folder / "script.py"
    script.write_text(PREAMBLE + code, encoding="utf-8")
    # By a shell, as the engine starts it.
    return subprocess.Popen(
        ["bash", "-c", f"exec {sys.executable} {script}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(warm, "LIBRARIES", ("wave",))
    monkeypatch.setenv(warm.ADDRESS, "to be taken back")
    monkeypatch.delenv(warm.ADDRESS)
    for name, value in warm.ONE_THREAD.items():
        monkeypatch.setenv(name, value)
    run = Run()
    yield run
    run.process.stdin.close()
    if run.process.wait(20) == 0:
        assert not run.address.parent.exists(), "it leaves nothing behind"


SAY = """
import json, os, sys
print(json.dumps({"warm": "wave" in sys.modules, "folder": os.getcwd(), "name": __name__,
                  "file": __file__, "tmp": os.environ.get("TMPDIR"), "path": sys.path[0]}))
print("complaint", file=sys.stderr)
sys.exit(CODE)
"""


@pytest.mark.parametrize("code", [0, 1, 77])
def test_a_copy_is_the_job(run: Run, tmp_path: Path, code: int):
    """Its folder, name, output, errors, temporary folder and exit code."""
    told, complaint = (
        made := run.job(tmp_path, SAY.replace("CODE", str(code)), TMPDIR="/x")
    ).communicate()
    assert json.loads(told) == {
        "warm": True,
        "folder": str(tmp_path),
        "name": "__main__",
        "file": str(tmp_path / "script.py"),
        "tmp": "/x",
        "path": str(tmp_path),
    }
    assert complaint == "complaint\n" and made.returncode == code


def test_a_copy_knows_what_the_run_found(run: Run, tmp_path: Path):
    made = run.job(tmp_path, "import json\nprint(json.dumps(warm.KNOWN))")
    assert json.loads(made.communicate()[0]) == FOUND


ENDING = """
import atexit, threading, time
class Large:
    def __del__(self):
        print("freed")
kept = Large()
def wait():
    time.sleep(0.1)
    print("thread")
atexit.register(print, "registered")
threading.Thread(target=wait).start()
print("through", end=" ")
"""


def test_a_copy_ends_in_order_without_freeing_each_object(run: Run, tmp_path: Path):
    """Threads end, what is registered is called, and all is said."""
    made = run.job(tmp_path, ENDING)
    assert made.communicate() == ("through thread\nregistered\n", "")
    assert made.returncode == 0


def test_an_error_is_told_as_ever(run: Run, tmp_path: Path):
    made = run.job(tmp_path, "raise ValueError('on purpose')")
    _, told = made.communicate()
    assert "ValueError: on purpose" in told and "Traceback" in told and made.returncode == 1


def test_what_libraries_might_read_must_be_as_it_was(run: Run, tmp_path: Path):
    """A job with another environment, such as more threads, goes on by itself."""
    for more in ({"OMP_NUM_THREADS": "2"}, {"HF_HOME": "/elsewhere"}):
        told, _ = run.job(tmp_path, SAY.replace("CODE", "0"), **more).communicate()
        assert json.loads(told)["warm"] is False
    told, _ = run.job(tmp_path, SAY.replace("CODE", "0")).communicate()
    assert json.loads(told)["warm"] is True


WAIT = f"""
import os, pathlib, signal, subprocess, sys, time
def heard(number, frame):
    print("heard", number, flush=True)
    sys.exit(5)
signal.signal(signal.SIGTERM, heard)
quiet = {{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}}
helper = subprocess.Popen(["sleep", "{LONG_S}"], **quiet)
pathlib.Path("pids").write_text(f"{{os.getpid()}} {{helper.pid}}")
os.rename("pids", "ready")
time.sleep({LONG_S})
"""


def test_a_job_that_is_killed_takes_its_copy_with_it(run: Run, tmp_path: Path):
    """And all that the copy started; the warm process serves on."""
    made, pids = run.waiting(tmp_path)
    assert made.pid not in pids
    made.kill()
    until(lambda: not any(map(alive, pids)))
    made.communicate()
    told, _ = run.job(tmp_path, SAY.replace("CODE", "0")).communicate()
    assert json.loads(told)["warm"] is True


@pytest.mark.parametrize("words", [b"", b'{"script": "a.py", '])
def test_a_job_that_is_killed_while_it_asks_keeps_nobody_waiting(
    run: Run, tmp_path: Path, words: bytes
):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(run.address))
        line.sendall(words)
    told, _ = run.job(tmp_path, SAY.replace("CODE", "0")).communicate()
    assert json.loads(told)["warm"] is True


def test_signals_are_passed_on(run: Run, tmp_path: Path):
    """A step saves its state when it is told to end, and says so by its exit code."""
    made, pids = run.waiting(tmp_path)
    made.terminate()
    told, _ = made.communicate()
    assert told == f"heard {int(signal.SIGTERM)}\n" and made.returncode == 5
    os.kill(pids[1], signal.SIGKILL)


def test_a_copy_that_is_killed_ends_its_job_alike(run: Run, tmp_path: Path):
    made, pids = run.waiting(tmp_path)
    os.kill(pids[0], signal.SIGKILL)
    made.communicate()
    assert made.returncode == -signal.SIGKILL
    os.kill(pids[1], signal.SIGKILL)


def test_the_end_of_the_run_waits_for_its_jobs(run: Run, tmp_path: Path):
    """As a job does that runs by itself when the run is killed."""
    made, pids = run.waiting(tmp_path)
    run.process.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(0.3)
    made.terminate()
    assert made.communicate()[0].startswith("heard")
    os.kill(pids[1], signal.SIGKILL)


def test_without_a_warm_process_a_job_runs_by_itself(tmp_path: Path):
    for address in ("", str(tmp_path / "nothing")):
        made = job(tmp_path, SAY.replace("CODE", "3"), os.environ | {warm.ADDRESS: address})
        assert json.loads(made.communicate()[0])["warm"] is False and made.returncode == 3


def test_a_warm_process_that_is_killed_fails_its_jobs(run: Run, tmp_path: Path):
    """Not in silence: they end as if they had been killed, and so do their copies."""
    made, pids = run.waiting(tmp_path)
    run.process.kill()
    made.communicate()
    assert made.returncode == -signal.SIGKILL
    until(lambda: not alive(pids[0]))
    os.kill(pids[1], signal.SIGKILL)
    run.address.unlink()
    run.address.parent.rmdir()


def test_what_is_loaded_starts_no_thread():
    """A copy has the one thread that forked it: locks of others would be held for ever.

    But that of the allocator that PyArrow brings, which prepares for forks by itself.
    """
    code = """
from pathlib import Path
from tuneatlas.engine import warm, warm_parent
warm_parent.load(warm.LIBRARIES)
threads = [p for p in Path("/proc/self/task").iterdir() if p.name != str(__import__("os").getpid())]
print([(p / "comm").read_text().strip() for p in threads])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | warm.ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().splitlines()[-1] in ("[]", "['jemalloc_bg_thd']"), done.stdout


def test_none_is_started_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(warm.ADDRESS, "")
    warm.start()
    assert not warm.STARTED


def test_own_code_is_not_among_what_is_loaded():
    """It may be edited while a run is under way, and records say what ran."""
    assert not any(name.startswith("tuneatlas") for name in warm.LIBRARIES)
    assert warm_parent.main
