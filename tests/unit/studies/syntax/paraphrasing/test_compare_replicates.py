"""Starts are compared over replicates: means, intervals, and what the report says of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.studies.fake_answers import make_context, make_study
from tests.unit.studies.syntax.paraphrasing.test_compare import compared, scores_of
from tuneatlas.errors import UserError
from tuneatlas.report import build_report
from tuneatlas.report.paraphrases import paraphrases_part
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.paired_answers import CompareOptions
from tuneatlas.studies.syntax.paraphrasing.figures import draw_paraphrase_figures
from tuneatlas.tables import Row

ALIKE = {f"m-{n}": {"vanilla": 0.2, "both": 0.6} for n in range(3)}
# What both stages do depends on the start: nothing in two, much in one.
APART = {
    name: {"vanilla": 0.4, "both": level}
    for name, level in zip(ALIKE, (0.4, 0.4, 1.0), strict=True)
}


def inputs_of(folder: Path, data: Path, levels: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The inputs of a comparison of replicates, each of which has files of its own."""
    each = [scores_of(folder / name, data, own) for name, own in levels.items()]
    several = ("scores", "candidates", "models", "tasks")
    return {**each[0], **{key: [p for own in each for p in own[key]] for key in several}}


def one(rows: list[Row], **wanted: Any) -> Row:
    wanted = {"subset": "all", "metric": "corpus_bleu4"} | wanted
    [row] = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    return row


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("apart")
    return compared(folder, inputs_of(folder, data, APART))


def test_numbers_are_means_over_replicates(tmp_path: Path, data: Path, apart: dict[str, Any]):
    alone = [
        compared(tmp_path / name, scores_of(tmp_path / name, data, own))
        for name, own in APART.items()
    ]
    for table in ("scores", "differences"):
        for row, *own in zip(apart[table], *(found[table] for found in alone), strict=True):
            values = [single["value"] for single in own]
            assert row["value"] == pytest.approx(np.mean(values))
            assert row["per_replicate"] == pytest.approx(values)
            assert (row["replicates"], row["seeds"]) == (3, 2)
            assert {(r["replicates"], r["seeds"], "per_replicate" in r) for r in own} == {
                (1, 2, False)
            }
    assert apart["design"]["replicates"] == list(APART)
    assert apart["design"]["seeds"] == 2
    for row, *own in zip(apart["corpus_bleu4"], *(f["corpus_bleu4"] for f in alone), strict=True):
        assert row["seeds"] == [value for single in own for value in single["seeds"]]
    assert apart["examples"] == alone[0]["examples"]
    assert apart["tasks"] == {"both": {"tree_pruning": {"mean": 0.5, "examples": 3}}}
    assert apart["tokens"] == alone[0]["tokens"]


def test_what_holds_in_one_of_three_starts_is_not_held(
    tmp_path: Path, data: Path, apart: dict[str, Any]
):
    wanted = {"start": "both", "baseline": "vanilla"}
    assert one(apart["differences"], **wanted)["verdict"] == "undecided"
    alike = compared(tmp_path, inputs_of(tmp_path, data, ALIKE))
    row = one(alike["differences"], **wanted)
    assert row["verdict"] == "held"


def test_replicates_that_were_not_tuned_alike_are_refused(tmp_path: Path, data: Path):
    inputs = inputs_of(tmp_path, data, ALIKE)
    inputs["scores"].pop()
    with pytest.raises(UserError, match="replicates m-0 and m-2 were not tuned from the same"):
        compared(tmp_path, inputs)


@pytest.mark.parametrize("one_start", [False, True])
def test_the_page_says_what_intervals_cover(tmp_path: Path, apart: dict[str, Any], one_start: bool):
    fake = make_study(items=24)
    base, tuned = fake.pop("base_answers"), fake.pop("tuned_answers")
    knowledge = compare_groups(base, tuned, CompareOptions(draws=50), 1, **fake).metrics()
    apart = {**apart, "design": {**apart["design"], "one_start": one_start}}
    draw_paraphrase_figures(apart, tmp_path / "figures")
    syntax = [(apart, tmp_path / "figures", "../compare_paraphrases/m")]
    page = " ".join(build_report(knowledge, tmp_path, make_context(), None, syntax).split())
    assert "Numbers are means over 3 replicates" in page
    assert ("which all start from the same weights" in page) is one_start
    assert "first seed of m-0" in page


def test_the_report_says_with_how_many_and_one_by_one(
    tmp_path: Path, data: Path, apart: dict[str, Any]
):
    said = paraphrases_part(apart, "../compare_paraphrases/m", {}).evidence
    values = one(apart["differences"], start="both")["per_replicate"]
    each = [f"{v:+.1f}".replace("-", "\N{MINUS SIGN}").replace("+0.0", "0.0") for v in values]
    assert "n = 30 test pairs, 2 seeds of each replicate" in said
    assert said.endswith(
        "Found with 3 replicates of T5 and its stages, which the interval covers; one by one: "
        f"{each[0]}, {each[1]} and {each[2]}."
    )
    apart = {**apart, "design": {**apart["design"], "one_start": True}}
    said = paraphrases_part(apart, "../compare_paraphrases/m", {}).evidence
    assert "3 replicates of the pre-training in stages, which the interval covers" in said
    assert said.endswith("All start from one model: it holds for this model.")
    alone = compared(tmp_path, scores_of(tmp_path, data, ALIKE["m-0"]))
    said = paraphrases_part(alone, "../compare_paraphrases/m", {}).evidence
    assert said.endswith(
        "2 seeds, both resampled; BLEU-4 of all paraphrases together (multi-bleu, "
        "lower case), 0 to 100. One base model: it holds for this model."
    )
