"""What the claims of a config could tell, and what would halve it at which cost."""

from pathlib import Path

import pytest

from tests.examples import ROOT
from tuneatlas.cli import main
from tuneatlas.config.load import load_config
from tuneatlas.sizing.claims import WORK, Power, away, halving_table, powers_of, table
from tuneatlas.sizing.estimates import DEVICES, Need
from tuneatlas.sizing.pilot import Variances, stated
from tuneatlas.sizing.sheet import Line, study_of
from tuneatlas.statistics.power import Components

STEPS = {step for factors in WORK.values() for steps in factors.values() for step in steps}
# One hour of each step that has work for a device.
LINES = [Line(step, "mini", (), Need(hours=1.0, devices=1)) for step in sorted(STEPS)]


def powers(variances: Variances, config: str = "config/config.yaml") -> dict[str, Power]:
    experiment = load_config(ROOT / config, root=ROOT)
    study = study_of(experiment, ROOT, DEVICES["cpu"], look=False)
    found = powers_of(experiment, study, LINES, variances)
    return {power.claim.split(":")[0]: power for power in found}


def test_a_claim_of_each_study_is_told():
    found = powers(stated())
    assert list(found) == ["S1 (a)", "S1 (b)", "S2", "S3"]
    for power in found.values():
        assert power.effect is not None
        assert power.effect > 0
    rows = table(list(found.values()))
    assert len({len(row) for row in rows}) == 1
    assert len({len(row) for row in halving_table(list(found.values()), "h")}) == 1


def test_questions_away_are_those_of_the_claim():
    experiment = load_config(ROOT / "config/config.yaml", root=ROOT)
    study = study_of(experiment, ROOT, DEVICES["cpu"], look=False)
    # Of three domains, two tuned, each other's home questions are away from home; the claim is
    # about the share of them that the corpus states.
    asked = (40 + 290) + (40 + 230) + (40 + 40)
    assert away(study.config, study) == round(0.6 * asked)
    assert (
        away(
            {**study.config, "compare_groups": {**study.config["compare_groups"], "facts": "all"}},
            study,
        )
        == asked
    )
    # What a corpus states is not known of a file.
    domains = study.config["domains"]
    file = {**domains, "airports": {**domains["airports"], "source": "file"}}
    assert away({**study.config, "domains": file}, study) == round(0.6 * (asked - 80))


def test_what_halves_the_effect_has_its_price():
    items = Variances({s: Components(0.4, 0.0) for s in WORK}, {})
    claim = powers(items)["S1 (a)"]
    count, hours = claim.halves["questions"]
    times = count / claim.design.questions
    assert times == pytest.approx(4, rel=0.01)
    assert hours == pytest.approx(len(WORK["s1"]["questions"]) * (times - 1))
    assert claim.halves["seeds"] is None
    assert claim.halves["replicates"] is None
    # With one of both, four times the questions and seeds: the evaluation grows with both.
    assert claim.together == (4, 3 + 15 + 3)
    said = halving_table([claim], "h")[1]
    assert said[2] == f"{count:,} (+{hours:.2g} h)"
    assert said[3:6] == ("cannot",) * 3


def test_what_cannot_halve_it_says_how_far_it_gets():
    even = Variances({s: Components(0.4, 0.1**2) for s in WORK}, {})
    claim = powers(even)["S1 (a)"]
    said = halving_table([claim], "h")[1]
    assert claim.effect is not None
    assert claim.effect / 2 < claim.best["questions"] < claim.effect
    assert said[2] == f"cannot: to {100 * claim.best['questions']:.1f}"


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str]):
    assert main(["power", "--root", str(ROOT), str(ROOT / "config/smoke.yaml")]) == 0
    said = capsys.readouterr().out
    for words in ("smallest effect", "S1 (a)", "halved by, alone", "core-h", "stated: as in"):
        assert words in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--pilot", "/nowhere"], "/nowhere: there is no such folder; --pilot names a results"),
        (["--device", "tpu"], "no device 'tpu'"),
    ],
)
def test_bad_input_is_one_message(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
):
    config = str(ROOT / "config/config.yaml")
    assert main(["power", "--root", str(ROOT), config, *words]) == 2
    assert capsys.readouterr().err.startswith(expected)


def test_a_pilot_without_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = str(ROOT / "config/config.yaml")
    assert main(["power", "--root", str(ROOT), config, "--pilot", str(tmp_path)]) == 2
    assert "leave --pilot out" in capsys.readouterr().err


def test_the_claim_of_syntax_counts_its_starts(tmp_path: Path):
    """Three starts see less than one in the same units: how they differ is then in the error."""
    path = tmp_path / "three.yaml"
    path.write_text(
        f"include: {ROOT}/config/config.yaml\nparaphrasers: {{mini: {{replicates: [0, 1, 2]}}}}\n"
    )
    one, three = (powers(stated(), name)["S3"] for name in ("config/config.yaml", str(path)))
    assert (one.design.replicates, three.design.replicates) == (1, 3)
    # How starts differ is in the error of three, which few of them make rough.
    assert three.effect > one.effect
