"""What steers a terminal never reaches it: not from names, data, errors or logs."""

import logging
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.examples import ROOT, question
from tuneatlas.audit.telling import tell
from tuneatlas.audit.trace import Life, Seen
from tuneatlas.cli import main
from tuneatlas.engine import step as steps
from tuneatlas.errors import UserError
from tuneatlas.terminal import STEERING, one_line, visible

BAD = "\x1b[31mred\x1b]0;title\x07 \u202eback\u202c \u2028line \x9bC1 \ud800half\x00\r"


def test_all_controls_of_unicode_are_shown_and_all_letters_are_left():
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        control = unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        turns = unicodedata.bidirectional(char) in (
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),
        )
        if (control and char not in "\n\t") or turns:
            assert STEERING.match(char) and visible(char).isascii()
            assert visible(char).encode().decode("unicode_escape") == char
        elif unicodedata.category(char)[0] in "LMNPS" or char in "\n\t \u200d\u200c":
            assert visible(char) == char
    assert one_line("a\nb\tc") == r"a\nb\tc"


def test_a_message_to_the_user_shows_what_it_quotes():
    assert not STEERING.search(str(UserError(f"{BAD}: wrong\n  second line")))
    assert "\n  second line" in str(UserError("x\n  second line"))


def test_audit_tells_a_name_in_one_line(results: Path, capsys):
    foreign = results / "a\x1b[31m\nchanged: x: \u202efake"
    foreign.touch()
    try:
        main(["audit", str(results), "--root", str(ROOT)])
    finally:
        foreign.unlink()
    said = capsys.readouterr().out
    assert "no record: results/a\\x1b[31m\\nchanged: x: \\u202efake: " in said
    assert not STEERING.search(said)


def test_trace_shows_the_text_of_data_and_keeps_its_own_marks():
    row = question(1, question=BAD, explanation=BAD, source=BAD, choices=[BAD] * 4, id=BAD)
    seen = Seen("prepare_questions", "results/x", {}, row)
    talk = Seen(
        "mix_instructions", "results/y", {"model": "m", "group": "g", "seed": "0"}, {"messages": []}
    )
    probe = {"prompt": BAD, "probs": [0.25] * 4, "pred": 0, "answer": 0, "correct": True}
    asked = Seen("probe_knowledge", "results/z", {"model": "m"}, probe)
    rows = {"prepare_questions": [seen], "probe_knowledge": [asked], "mix_instructions": [talk]}
    style = {True: ("\033[4;1m", "\033[0m"), False: ("", "")}
    text = "\n".join(tell(Life(BAD, rows, []), lambda _: [(BAD, True), (BAD, False)], style))
    assert text.count("\033[4;1m") == text.count("\033[0m") == 2  # the legend, and the reply
    assert not STEERING.search(text.replace("\033[4;1m", "").replace("\033[0m", ""))


def test_trace_quotes_a_text_by_its_own_lines():
    text = "one\u2028still one\x0band\x85so\n\nthree"
    asked = {"prompt": text, "probs": [0.25] * 4, "pred": 0, "answer": 0, "correct": True}
    rows = {"probe_knowledge": [Seen("probe_knowledge", "results/z", {"model": "m"}, asked)]}
    told = "\n".join(tell(Life("x", rows, []), lambda _: None, {}))
    assert "  | one\\u2028still one\\x0band\\x85so\n  | \n  | three" in told


def test_a_log_shows_what_it_quotes(tmp_path: Path, capsys):
    steps._start_log(tmp_path / "x.log", "step 100% x")
    try:
        logging.getLogger("tuneatlas").info("read %s", BAD)
        try:
            raise ValueError(BAD)
        except ValueError:
            logging.getLogger("tuneatlas").exception("a fault")
    finally:
        logging.basicConfig(force=True, handlers=[])
    for text in (capsys.readouterr().err, (tmp_path / "x.log").read_text(encoding="utf-8")):
        assert "read \\x1b[31mred" in text and not STEERING.search(text)


@pytest.mark.parametrize("lines", [40, 4000])
def test_audit_into_head_ends_quietly_and_still_says_that_it_found_something(
    results: Path, tmp_path: Path, lines: int
):
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("prepare_questions", "prepare_base"):
        (folder / name).symlink_to(results / name)
    for number in range(lines):
        (folder / f"foreign{number}").touch()
    command = f"{sys.executable} -m tuneatlas.cli audit results | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("no record: results/foreign0")


def test_a_terminal_of_few_characters_is_no_reason_to_fail(results: Path):
    done = subprocess.run(
        [sys.executable, "-m", "tuneatlas.cli", "trace", "é…", "--results", str(results)],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"\\xe9\\u2026: no table")
