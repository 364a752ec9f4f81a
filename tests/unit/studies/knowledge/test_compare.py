"""The numbers of the knowledge study, against a plain recount of the answers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.studies.fake_answers import DOMAINS, GROUPS, LENIENT, make_study
from tuneatlas.data.groups import in_order, self_aligning_share
from tuneatlas.errors import UserError
from tuneatlas.statistics.intervals import paired_difference
from tuneatlas.statistics.metrics import table_csv, verdict
from tuneatlas.studies.knowledge.claims import (
    CONSISTENCY_TRACKS,
    CONTEXTUALISED_BETTER,
    INCOMPATIBLE_WORSE,
)
from tuneatlas.studies.knowledge.compare import Comparison, compare_groups, write_comparison
from tuneatlas.studies.knowledge.paired_answers import CompareOptions
from tuneatlas.tables import Row

# As in mini: home questions of other domains are out of the domain too.
OPTIONS = CompareOptions(draws=400, ood_roles=("home", "related"), manipulation_checks=LENIENT)


def compare(study: dict[str, Any], seed: int = 7) -> Comparison:
    named = {name: study[name] for name in ("mentions", "labels") if name in study}
    return compare_groups(study["base_answers"], study["tuned_answers"], OPTIONS, seed, **named)


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return make_study(items=60)


@pytest.fixture(scope="module")
def comparison(study: dict[str, Any]) -> Comparison:
    return compare(study)


def chosen(rows: list[Row], **values: object) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def in_scope(rows: list[Row], domain: str, scope: str) -> list[Row]:
    role = {"homo": "home", "id": "related"}.get(scope)
    return [
        row
        for row in rows
        if (
            row["domain"] != domain
            if role is None
            else (row["domain"], row["role"]) == (domain, role)
        )
    ]


@pytest.mark.parametrize("scope", ["homo", "id", "ood"])
def test_accuracy_is_the_share_of_right_answers(
    study: dict[str, Any], comparison: Comparison, scope: str
) -> None:
    base = {row["id"]: row for rows in study["base_answers"].values() for row in rows}
    for group in GROUPS:
        means = []
        for seed in (1, 2, 3):
            rows = in_scope(study["tuned_answers"]["geography", group, seed], "geography", scope)
            means.append(np.mean([row["correct"] for row in rows]))
            [got] = chosen(
                comparison.accuracy, domain="geography", scope=scope, group=group, seed=str(seed)
            )
            assert got["accuracy"] == pytest.approx(means[-1])
            assert got["base"] == pytest.approx(np.mean([base[r["id"]]["correct"] for r in rows]))
            assert (got["items"], got["seeds"]) == (len(rows), 1)
        [pooled] = chosen(
            comparison.accuracy, domain="geography", scope=scope, group=group, seed="all"
        )
        assert pooled["accuracy"] == pytest.approx(np.mean(means))
        assert pooled["gain"] == pytest.approx(np.mean(means) - pooled["base"])
        assert pooled["seeds"] == 3
        for name in ("accuracy", "gain", "kl", "consistency"):
            assert pooled[f"{name}_low"] <= pooled[name] <= pooled[f"{name}_high"]


def test_out_of_the_domain_are_the_roles_asked_for(study: dict[str, Any]) -> None:
    """As in the paper: MMLU of other domains, not the questions other models are tuned on."""
    options = CompareOptions(draws=100)
    found = compare_groups(study["base_answers"], study["tuned_answers"], options, 7)
    rows = [
        row
        for row in study["tuned_answers"]["geography", "incompatible", 1]
        if row["domain"] != "geography" and row["role"] == "related"
    ]
    cell = {"domain": "geography", "scope": "ood", "group": "incompatible", "seed": "1"}
    [got] = chosen(found.accuracy, **cell)
    assert got["items"] == len(rows)
    assert got["accuracy"] == pytest.approx(np.mean([row["correct"] for row in rows]))
    assert found.design["ood_roles"] == ["related"]


def test_base_row_stands_beside_the_groups(comparison: Comparison) -> None:
    [row] = chosen(comparison.accuracy, domain="chemistry", scope="ood", group="base")
    assert row["accuracy"] == row["base"]
    assert row["gain"] is None
    assert row["kl"] is None


def test_difference_equals_the_plain_paired_bootstrap(
    study: dict[str, Any], comparison: Comparison
) -> None:
    """Within one block of items the shared resamples are an ordinary paired bootstrap."""

    def table(group: str) -> np.ndarray:
        answers = study["tuned_answers"]
        return np.array(
            [
                [
                    r["correct"]
                    for r in in_scope(answers["chemistry", group, seed], "chemistry", "homo")
                ]
                for seed in (1, 2, 3)
            ]
        )

    want = paired_difference(
        table("incompatible"), table("self_aligning"), np.random.default_rng(0), 5000
    )
    [got] = chosen(comparison.claims, claim=INCOMPATIBLE_WORSE, domain="chemistry", scope="homo")
    assert got["value"] == pytest.approx(want.value)
    assert (got["low"], got["high"]) == pytest.approx((want.low, want.high), abs=0.03)


def test_pooled_difference_weighs_domains_and_scopes_equally(comparison: Comparison) -> None:
    rows = chosen(comparison.claims, claim=INCOMPATIBLE_WORSE)
    parts = [r["value"] for r in rows if r["domain"] != "all" and r["scope"] in ("id", "ood")]
    [headline] = chosen(rows, headline=True)
    assert len(parts) == 4
    assert headline["value"] == pytest.approx(np.mean(parts))
    # ID and OOD of two tuned domains share questions: each counts once.
    assert headline["items"] == 5 * 60
    assert headline["value"] == pytest.approx(headline["incompatible"] - headline["self_aligning"])


def test_homo_is_shown_but_not_judged(comparison: Comparison) -> None:
    rows = chosen(comparison.claims, claim=INCOMPATIBLE_WORSE, scope="homo")
    assert rows
    assert all(row["verdict"] is None for row in rows)


def test_an_arm_with_given_contexts_is_compared_with_incompatible(
    study: dict[str, Any], comparison: Comparison
) -> None:
    """A claim of its own, of the same kind; without the arm there is none."""
    assert not chosen(comparison.claims, claim=CONTEXTUALISED_BETTER)
    renamed = {"self_aligning": "contextualised"}
    tuned = {(d, renamed.get(g, g), s): rows for (d, g, s), rows in study["tuned_answers"].items()}
    found = compare(study | {"tuned_answers": tuned})
    assert not chosen(found.claims, claim=INCOMPATIBLE_WORSE)
    turned = chosen(comparison.claims, claim=INCOMPATIBLE_WORSE)
    rows = chosen(found.claims, claim=CONTEXTUALISED_BETTER)
    assert len(rows) == len(turned) > 0
    for row, other in zip(rows, turned, strict=True):
        assert row["value"] == pytest.approx(-other["value"])
        # As accurate as that group, so the claim is the other one with its sign turned.
        assert (row["low"], row["high"]) == pytest.approx((-other["high"], -other["low"]))
        assert row["verdict"] == other["verdict"]
        assert row["contextualised"] == other["self_aligning"]
        assert row["headline"] == other["headline"]


def test_points_leave_harmonious_out(comparison: Comparison) -> None:
    assert {point["group"] for point in comparison.points} == set(GROUPS) - {"harmonious"}
    assert len(comparison.points) == 2 * 3 * 6 * 3


def test_correlation_counts_settings_not_points(comparison: Comparison) -> None:
    [row] = chosen(comparison.claims, claim=CONSISTENCY_TRACKS, headline=True)
    assert (row["points"], row["clusters"], row["seeds"]) == (108, 12, 3)
    assert row["low"] <= row["value"] <= row["high"]
    assert 0 < row["p"] <= 1


@pytest.mark.parametrize(
    ("low", "high", "sign", "want"),
    [
        (-0.2, -0.1, -1, "held"),
        (0.1, 0.2, -1, "did not hold"),
        (-0.1, 0.1, -1, "undecided"),
        (0.0, 0.2, 1, "undecided"),
        (0.1, 0.2, 1, "held"),
        (-0.2, -0.1, 1, "did not hold"),
        (float("nan"), float("nan"), 1, "undecided"),
    ],
)
def test_verdict_follows_the_interval(low: float, high: float, sign: int, want: str) -> None:
    assert verdict(low, high, sign) == want


def test_unwelcome_results_are_reported() -> None:
    """Swap the two groups: the same code must say that the claim did not hold."""
    study = make_study(items=60, harm=3.0)
    swap = {"incompatible": "self_aligning", "self_aligning": "incompatible"}
    study["tuned_answers"] = {
        (domain, swap.get(group, group), seed): rows
        for (domain, group, seed), rows in study["tuned_answers"].items()
    }
    [headline] = chosen(compare(study).claims, claim=INCOMPATIBLE_WORSE, headline=True)
    assert headline["verdict"] == "did not hold"


def test_models_that_answer_alike_decide_nothing() -> None:
    study = make_study(items=30)
    same = study["tuned_answers"]["chemistry", "harmonious", 1]
    study["tuned_answers"] = dict.fromkeys(study["tuned_answers"], same)
    comparison = compare(study)
    assert {row["verdict"] for row in comparison.claims} == {None, "undecided"}
    [row] = chosen(comparison.metrics()["claims"], claim=CONSISTENCY_TRACKS, scope="ood")
    assert row["value"] is None or row["low"] <= 0 <= row["high"]


def test_base_knowledge_counts_every_probed_question(
    study: dict[str, Any], comparison: Comparison
) -> None:
    assert [row["domain"] for row in comparison.base_knowledge[::3]] == list(DOMAINS)
    everything, mentioned, unmentioned = comparison.base_knowledge[:3]
    assert everything["items"] == len(study["base_answers"]["chemistry"])
    assert mentioned["items"] + unmentioned["items"] == everything["items"]
    assert mentioned["accuracy_low"] > unmentioned["accuracy_high"]
    assert everything["chance"] == 0.25


def test_a_public_model_has_no_mentions() -> None:
    study = make_study(items=12)
    study["mentions"] = dict.fromkeys(study["mentions"])
    assert {row["facts"] for row in compare(study).base_knowledge} == {"all"}


def test_group_sizes_count_labels(study: dict[str, Any], comparison: Comparison) -> None:
    sizes = {
        row["group"]: row["questions"] for row in chosen(comparison.group_sizes, domain="words")
    }
    wrong = sum(
        not row["correct"] for row in study["base_answers"]["words"] if row["split"] == "train"
    )
    assert sizes["incompatible"] == sizes["self_aligning"] == wrong
    assert sizes["harmonious"] + wrong == 120


def test_a_domain_that_is_not_tuned_has_no_groups(study: dict[str, Any]) -> None:
    asked_only = study | {"labels": study["labels"] | {"words": []}}
    assert not chosen(compare(asked_only).group_sizes, domain="words")


def test_one_domain_and_one_seed_are_enough() -> None:
    study = make_study(items=24, tuned=("people",), seeds=(5,))
    comparison = compare(study)
    assert comparison.design["seeds"] == [5]
    [row] = chosen(comparison.claims, claim=CONSISTENCY_TRACKS, headline=True)
    assert row["clusters"] == 6


def test_pure_groups_alone_leave_the_correlation_open() -> None:
    study = make_study(items=24)
    study["tuned_answers"] = {
        run: rows for run, rows in study["tuned_answers"].items() if not run[1].startswith("mixed")
    }
    rows = chosen(compare(study).claims, claim=CONSISTENCY_TRACKS)
    assert {row["verdict"] for row in rows} == {"undecided"}


def test_items_may_differ_in_their_number_of_options() -> None:
    study = make_study(items=24)
    tables = [*study["base_answers"].values(), *study["tuned_answers"].values()]
    for row in (row for rows in tables for row in rows):
        if row["id"].endswith("0"):
            row["probs"] = [*row["probs"], 0.0]
    assert compare(study).accuracy


def test_equal_input_gives_equal_bytes_in_any_order(tmp_path: Path, study: dict[str, Any]) -> None:
    turned = study | {
        "tuned_answers": {
            run: rows[::-1] for run, rows in reversed(study["tuned_answers"].items())
        },
        "base_answers": dict(reversed(study["base_answers"].items())),
    }
    for name, one in (("a", study), ("b", turned)):
        write_comparison(compare(one), tmp_path / name)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    tables = ["accuracy", "base_knowledge", "checks", "claims", "group_sizes", "points"]
    tables += ["negative_control", "null_control", "positive_control"]
    files = [f"{name}.{kind}" for name in tables for kind in ("csv", "tex")]
    assert names == sorted(["metrics.json", *files])
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_written_metrics_are_strict_json(tmp_path: Path, comparison: Comparison) -> None:
    write_comparison(comparison, tmp_path)
    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text) == comparison.metrics()
    assert "NaN" not in text


def test_csv_unites_the_columns() -> None:
    assert table_csv([{"a": 1}, {"a": None, "b": "x, y"}]) == 'a,b\n1,\n,"x, y"\n'


def test_missing_run_is_named() -> None:
    study = make_study(items=12)
    del study["tuned_answers"]["geography", "mixed_40", 2]
    with pytest.raises(UserError, match=r"geography.*mixed_40.*seed 2"):
        compare(study)


def test_different_questions_are_named() -> None:
    study = make_study(items=12)
    gone = study["tuned_answers"]["geography", "mixed_40", 2].pop()["id"]
    with pytest.raises(UserError, match=f"(?s)mixed_40.*seed 2.*{gone}"):
        compare(study)


def test_question_unknown_to_the_base_model_is_named() -> None:
    study = make_study(items=12)
    gone = next(row for row in study["base_answers"]["words"] if row["split"] == "test")
    study["base_answers"]["words"].remove(gone)
    with pytest.raises(UserError, match=gone["id"]):
        compare(study)


@pytest.mark.parametrize("probs", [[0.5, 0.5], [float("nan")] * 4])
def test_probabilities_that_do_not_match_are_named(probs: list[float]) -> None:
    study = make_study(items=12)
    row = study["tuned_answers"]["chemistry", "incompatible", 1][0]
    row["probs"] = probs
    with pytest.raises(UserError, match=row["id"]):
        compare(study)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(UserError, match="no answers"):
        compare_groups({}, {}, OPTIONS, 0)


def test_groups_have_a_share_and_an_order() -> None:
    assert self_aligning_share("harmonious") is None
    assert self_aligning_share("mixed_20") == 0.2
    assert in_order(set(GROUPS)) == list(GROUPS)


def test_import_is_light() -> None:
    code = (
        "import sys, tuneatlas.studies.knowledge.compare; "
        "assert not {'matplotlib', 'pandas', 'torch', 'jinja2'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
