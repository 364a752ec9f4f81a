"""Outputs whose content is unchanged stand, whatever their times say."""

import os
import time
from pathlib import Path

from tuneatlas.audit.settling import known, make_newer, settle, standing
from tuneatlas.tables import ANSWERS


def test_touched_files_are_settled_by_their_content(results: Path):
    assert standing(known(results)) == {}
    for number, path in enumerate(sorted(results.rglob("*"))):
        os.utime(path, ns=(0, 10**18 + number))
    renewed = standing(known(results))
    assert results / "evaluate_knowledge/mini/numbers/mixed_40/0.parquet" in renewed
    assert standing(known(results)).keys() == renewed.keys(), "asking wrote something"
    settle(renewed)
    assert standing(known(results)) == {}


def test_an_output_of_other_content_is_not_settled(results: Path):
    path = results / "probe_knowledge/mini/numbers.parquet"
    ANSWERS.write(path, ANSWERS.read(path)[1:])
    os.utime(path, ns=(0, time.time_ns()))
    assert results / "label_knowledge/mini/numbers.parquet" not in standing(known(results))


def test_an_output_dated_ahead_stands_until_an_input_is_edited(results: Path):
    """Whenever that is: the edited file is older than what was made from the one before."""
    ahead = time.time_ns() + 10**13
    labels = results / "label_knowledge/mini/numbers.parquet"
    answers = results / "probe_knowledge/mini/numbers.parquet"
    make_newer([labels], [])
    assert labels.stat().st_mtime_ns < ahead
    os.utime(answers, ns=(0, ahead))
    make_newer([labels], [answers])
    assert labels.stat().st_mtime_ns > ahead
    settle(standing(known(results)))
    assert max(labels.stat().st_mtime_ns, answers.stat().st_mtime_ns) < ahead
    os.utime(labels, ns=(0, ahead))
    ANSWERS.write(answers, ANSWERS.read(answers)[1:])
    assert standing(known(results))[labels] < answers.stat().st_mtime_ns
