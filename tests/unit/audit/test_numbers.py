"""Every number of the report is given again by the items that it rests on."""

import re
import shutil
from pathlib import Path

import pytest

from tests.examples import ROOT
from tests.unit.audit.synthetic import (
    GAIN,
    add_forgetting,
    add_forgetting_replicates,
    add_replicates,
)
from tests.unit.audit.synthetic_paraphrases import add_paraphrases
from tuneatlas.audit.behind import behind, compute, read_items
from tuneatlas.audit.columns import Columns
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.numbers import TITLES, numbers
from tuneatlas.audit.terms import blocks_of
from tuneatlas.report.rendering import FIGURE_NUMBERS

RELATED = "scoped_tests/mini/facts/incompatible/id/stages/4/base_to_restored/value"


def test_every_number_is_given_again_by_its_items(whole: Results):
    columns, items = Columns(whole), read_items(whole)
    found = list(numbers(whole))
    assert len(found) > 50
    for number in found:
        if number.value is not None:
            again = compute(number, columns, items)
            assert again == pytest.approx(number.value, abs=1.01e-6), number.address


def test_tables_that_the_report_leads_to_have_titles(whole: Results):
    templates = (ROOT / "src/tuneatlas/report/templates").rglob("*.jinja")
    linked = {
        table
        for path in templates
        for table in re.findall(r'behind\("(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert {"checkpoint_subjects", "harness_scores", "scoped_tests"} <= linked
    told = {number.address.split("/")[0] for number in numbers(whole)}
    assert linked | told | set(FIGURE_NUMBERS.values()) <= TITLES.keys()


def test_numbers_of_the_forgetting_study_are_given_again_by_their_items(
    whole: Results, tmp_path: Path
):
    """Of all questions and of each scope, of changes between two models, as they are and known."""
    told = add_forgetting(Path(shutil.copytree(whole.folder, tmp_path / "results")))
    columns, items = Columns(told), read_items(told)
    tables = {"fates", "tests", "scoped_tests", "chance_adjusted", "measures", "control"}
    found = [n for n in numbers(told) if n.address.split("/")[0] in tables]
    assert {n.address.split("/")[0] for n in found} == tables
    for number in found:
        again = compute(number, columns, items)
        assert again == pytest.approx(number.value, abs=1.01e-6), number.address
    (related,) = (n for n in found if n.address == RELATED)
    assert {items.attributes[i]["block"] for i in behind(related, columns, items)} == {
        "facts/related"
    }


def test_numbers_over_replicates_lead_to_the_items_of_each(whole: Results, tmp_path: Path):
    told = add_replicates(Path(shutil.copytree(whole.folder, tmp_path / "results")))
    columns, items = Columns(told), read_items(told)
    found = [n for n in numbers(told) if n.address.split("/")[1] == "both"]
    assert {n.address.split("/")[0] for n in found} == {
        *("accuracy", "points", "claims", "base_knowledge", "group_sizes")
    }
    for number in found:
        if number.value is not None:
            again = compute(number, columns, items)
            assert again == pytest.approx(number.value, abs=1.01e-6), number.address
    by_address = {n.address: n for n in found}
    for address, models in (
        ("accuracy/both/facts/homo/incompatible/all/gain", {"mini-0", "mini-1"}),
        ("accuracy/both/facts/homo/incompatible/mini-1:0/gain", {"mini-1"}),
        ("claims/both/incompatible_worse/all/id+ood/value", {"mini-0", "mini-1"}),
        ("claims/both/consistency_tracks_accuracy/all/all/value", {"mini-0", "mini-1"}),
    ):
        outputs = {o for t in by_address[address].all_terms() for o in t.outputs}
        assert {told.records[o]["wildcards"]["model"] for o in outputs} == models


def test_numbers_of_paraphrases_over_replicates_lead_to_the_items_of_each(
    whole: Results, tmp_path: Path
):
    told = add_paraphrases(Path(shutil.copytree(whole.folder, tmp_path / "results")))
    columns, items = Columns(told), read_items(told)
    found = [n for n in numbers(told) if n.address.split("/")[1] == "both"]
    assert {n.address.split("/")[0] for n in found} == {
        *("paraphrase_scores", "paraphrase_differences", "tasks"),
        *("system_scores", "system_differences"),
    }
    for number in found:
        again = compute(number, columns, items)
        assert again == pytest.approx(number.value, abs=1.01e-6), number.address
        outputs = {o for t in number.terms for o in t.outputs}
        of = [told.records[o]["wildcards"] for o in outputs]
        ours = {w["paraphraser"] for w in of if "paraphraser" in w}
        assert ours == (set() if number.address.startswith("system_scores") else {"t5-0", "t5-1"})
        assert ({"system": "theirs"} in of) == number.address.startswith("system_")


def test_numbers_of_forgetting_over_replicates_lead_to_the_items_of_each(
    whole: Results, tmp_path: Path
):
    told = add_forgetting_replicates(Path(shutil.copytree(whole.folder, tmp_path / "results")))
    columns, items = Columns(told), read_items(told)
    found = [n for n in numbers(told) if n.address.split("/")[1] == "both"]
    assert len({n.address.split("/")[0] for n in found}) == 6
    for number in found:
        again = compute(number, columns, items)
        assert again == pytest.approx(number.value, abs=1.01e-6), number.address
        models = {told.records[o]["wildcards"]["model"] for t in number.terms for o in t.outputs}
        assert models == {"mini-0", "mini-1"}


def test_a_number_rests_on_the_items_of_its_scope_alone(whole: Results):
    (gain,) = (n for n in numbers(whole) if n.address == GAIN)
    items = read_items(whole)
    found = behind(gain, Columns(whole), items)
    assert {items.attributes[i]["block"] for i in found} == {"facts/home"}
    assert {items.attributes[i]["split"] for i in found} == {"test"}
    assert all(len(values) == 2 for values in found.values())


def test_results_that_name_no_roles_had_all_of_other_domains_out_of_the_domain():
    assert blocks_of(["a", "b"], {})("a", "ood") == ("b/home", "b/related")
    assert blocks_of(["a", "b"], {"ood_roles": ["related"]})("a", "ood") == ("b/related",)
