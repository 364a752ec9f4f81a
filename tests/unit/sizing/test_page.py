"""The plans of the paper's experiments in the docs are in step."""

from tests.examples import ROOT
from tests.workflow.plans import planned
from tuneatlas.config.load import load_config, resolve
from tuneatlas.sizing import sheet
from tuneatlas.sizing.estimates import DEVICES
from tuneatlas.sizing.page import full_configs, outdated


def test_the_plans_are_in_step(monkeypatch):
    monkeypatch.setattr(sheet, "read_plan", planned)
    assert not outdated(ROOT), "run: make plans"


def test_every_full_config_says_which_devices_hold_it():
    assert full_configs(ROOT)
    for path in full_configs(ROOT):
        config = resolve(load_config(path, root=ROOT))
        assert config["models"] or config["paraphrasers"]
    assert DEVICES["a100-80"].memory == 80
