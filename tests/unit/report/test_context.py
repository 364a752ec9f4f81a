"""What a report says of the run it is about."""

from tests.examples import ROOT
from tuneatlas.config.load import load_config, resolve
from tuneatlas.report.context import sampled_notes


def test_a_diagnosis_says_what_was_sampled_and_which_key_takes_all():
    config = resolve(load_config(ROOT / "config/diagnose.yaml", root=ROOT))
    [note] = sampled_notes(config)
    assert note == (
        "Sampled: 300 of the 14,042 test questions of mmlu are asked; "
        "domains.mmlu.limits.related_test: null takes all."
    )
    config["domains"]["mmlu"]["limits"]["related_test"] = None
    assert sampled_notes(config) == []
