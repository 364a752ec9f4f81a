"""Outputs of other systems are scored as ours are, and stand beside them without moving them."""

import json
import shutil
from unittest.mock import patch

import pytest

from tests.unit.steps import a_step, run_script
from tests.unit.studies.syntax.paraphrasing.test_compare import compared, scores_of
from tuneatlas.engine.records import record_path
from tuneatlas.errors import UserError
from tuneatlas.report.paraphrases import paraphrases_part
from tuneatlas.report.rendering import page_environment
from tuneatlas.studies.syntax.paraphrasing import score
from tuneatlas.studies.syntax.tables import CANDIDATES, PAIRS, PARAPHRASES, SCORES
from tuneatlas.studies.syntax.trees.linear import in_own_signs, read_bracket, write_sentence

RUNS = {"vanilla": 0.2, "plain": 0.3, "both": 0.6}


@pytest.fixture
def beside(tmp_path, data):
    """What is compared: three starts, and a system that wrote what one of them did."""
    inputs = scores_of(tmp_path, data, RUNS)
    ours = next(path for path in inputs["scores"] if path.parts[-5] == "both")
    folder = tmp_path / "score_systems" / "theirs"
    folder.mkdir(parents=True)
    for name in ("scores", "candidates"):
        shutil.copy(ours.with_name(f"{name}.parquet"), folder)
    odd = {"not word by word": 3, "not parsed": {"empty": 2}}
    record_path(folder / "scores.parquet").write_text(json.dumps({"odd": odd}))
    return inputs, folder / "scores.parquet"


def test_a_system_that_is_ours_has_our_numbers(tmp_path, beside):
    inputs, path = beside
    alone = compared(tmp_path, inputs)
    shutil.rmtree(tmp_path / "out")
    metrics = compared(tmp_path, inputs | {"systems": [path]})
    scores, differences = metrics.pop("system_scores"), metrics.pop("system_differences")
    assert metrics.pop("odd_outputs")["theirs"]["not word by word"] == 3
    assert metrics == alone
    ours = {path.parts[-2]: path for path in inputs["scores"] if path.parts[-5] == "both"}
    one = {**inputs, "scores": [ours["0"]]}
    one["candidates"] = [path.with_name("candidates.parquet") for path in one["scores"]]
    shutil.rmtree(tmp_path / "out")
    of_seed = compared(tmp_path, one)["scores"]
    assert {(r["subset"], r["metric"]): (r["value"], r["pairs"]) for r in scores} == {
        (r["subset"], r["metric"]): (r["value"], r["pairs"]) for r in of_seed
    }
    assert {r["system"] for r in scores} == {"theirs"}
    for row in scores:
        assert row["low"] <= row["value"] <= row["high"]
    values = {(r["start"], r["subset"], r["metric"]): r["value"] for r in metrics["scores"]}
    theirs = {(r["subset"], r["metric"]): r["value"] for r in scores}
    for row in differences:
        place = row["subset"], row["metric"]
        expected = values[row["start"], *place] - theirs[place]
        assert row["value"] == pytest.approx(expected), row
    better = {r["start"]: r["verdict"] for r in differences if r["metric"] == "bleu4"}
    assert better["vanilla"] == "did not hold"
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert "system_scores.csv" not in files


def test_the_report_has_a_row_of_each_system(tmp_path, beside):
    inputs, path = beside
    for systems, rows in (([path], 1), ([], 0)):
        metrics = compared(tmp_path, inputs | {"systems": systems})
        shutil.rmtree(tmp_path / "out")
        part = paraphrases_part(metrics, "compare_paraphrases/mini", {})
        assert len(part.systems) == rows
        template = page_environment().get_template("sections/paraphrase_scores.html.jinja")
        page = template.render(paraphrases=[part])
        assert page.count(">theirs</th>") == rows
        assert ("less that of theirs" in page) == bool(rows)
        odd = "theirs: 3 not written word by word, as references are (tokenise: true cuts them), 2 "
        assert (odd in page) == bool(rows)


@pytest.fixture
def asked(tmp_path, data):
    """Test pairs as chosen, of which one has lost its trees, and inputs of the step."""
    scores_of(tmp_path, data, {"both": 0.5})
    kept = PARAPHRASES.read(tmp_path / "paraphrases.parquet")
    PARAPHRASES.write(tmp_path / "paraphrases.parquet", kept[1:])
    rows = [
        {"id": row["id"], "source_id": "a", "target_id": "b", "template_id": None}
        | {"split": "test", "pivot": "", "source": "x", "licence": "x"}
        for row in kept
    ]
    PAIRS.write(tmp_path / "pairs.parquet", [{**rows[0], "id": "train/1", "split": "train"}, *rows])
    texts = [in_own_signs(write_sentence(read_bracket(row["target"]))) for row in kept]
    inputs = {
        "format": [],
        "parser": [],
        **{name: tmp_path / f"{name}.parquet" for name in ("pairs", "paraphrases")},
        # As the workflow gives files of a user's: a list, which is empty where none is named.
        "outputs": [tmp_path / "out.txt"],
        "trees": [tmp_path / "out.trees"],
        "meteor": tmp_path,
        "java": tmp_path,
    }
    (tmp_path / "out.txt").write_text("".join(f"{text}\n" for text in texts))
    (tmp_path / "out.trees").write_text("".join(f"{row['target']}\n" for row in kept))
    return inputs


def scored(tmp_path, inputs):
    options = {"heights": [5], "retokenise": False, "meteor_paraphrases": False}
    options |= {"height": 5, "tokenise": False}
    outputs = {name: f"{name}.parquet" for name in ("scores", "candidates")}
    step = a_step(tmp_path / "system", inputs, outputs, options, system="theirs")
    (tmp_path / "system").mkdir(exist_ok=True)
    no_java = patch.object(score, "meteor", lambda texts, *_, **__: [0.5] * len(texts))
    with no_java:
        info = run_script("score_systems", step, parsing={"max_words": 80})
    return info, step.outputs


def test_the_step_scores_every_pair_that_has_trees(tmp_path, asked):
    info, made = scored(tmp_path, asked)
    assert info == {"pairs_without_trees": 1, "odd": {}}
    values = SCORES.read(made["scores"])
    assert {r["value"] for r in values if r["metric"] in ("exact_match", "rougeL")} == {1}
    assert {r["value"] for r in values if r["metric"] == "ted_r"} == {0}
    assert len(CANDIDATES.read(made["candidates"])) == 29


def test_another_number_of_outputs_than_of_pairs_is_refused(tmp_path, asked):
    path = tmp_path / "out.txt"
    path.write_text(path.read_text() + "one more\n")
    with pytest.raises(UserError, match=r"out\.txt: 31 outputs for 30 test pairs"):
        scored(tmp_path, asked)
    path.write_text("\n" * 30)
    with pytest.raises(UserError, match=r"out\.trees, line 1: not a parse of its sentence"):
        scored(tmp_path, asked)
