"""What the docs name is there, and each term is explained once."""

import re
from pathlib import Path

import pytest

from tuneatlas.config.load import load_config
from tuneatlas.data.scopes import SCOPES
from tuneatlas.studies.forgetting.fates import FATES
from tuneatlas.tables import CATEGORIES, GROUPS, ROLES, SPLITS

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "src/tuneatlas"
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIALS = [path for path in DOCS if path.parent.name == "tutorials"]
TERMS = (ROOT / "docs/terms.md").read_text(encoding="utf-8")
# Where a path may begin: modules of a study are named from its room, or from the one before.
ROOMS = [ROOT, PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())]
MADE = ("results/", "logs/", "kept/", "config/diagnosed.yaml")


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_modules_and_rules_that_a_page_names_are_there(page: Path):
    text = page.read_text(encoding="utf-8")
    names = {n for n in re.findall(r"`([\w./-]+\.(?:py|smk|yaml|json|def|in))`", text)}
    names = {
        n
        for n in names
        if not n.startswith(MADE)
        and "/" in n
        and not {"law", "STEP", "MODEL"} & {*re.split(r"\W", n)}
    }
    gone = [name for name in names if not any((room / name).exists() for room in ROOMS)]
    assert not gone
    modules = re.findall(r"`(tuneatlas(?:\.[a-z_]+)+)`", text)
    for name in modules:
        path = ROOT.joinpath("src", *name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_a_term_is_explained_once():
    terms = re.findall(r"\*\*([^*]+)\*\*", TERMS)
    assert len(terms) == len(set(terms)) > 40


@pytest.mark.parametrize("words", [GROUPS, ROLES, SPLITS, SCOPES, FATES, CATEGORIES])
def test_the_words_of_the_tables_are_explained(words):
    plain = TERMS.lower().replace("-", "_")
    assert [word for word in words if word.lower() not in plain] == []


def test_wildcards_of_rules_are_explained():
    rules = "".join(p.read_text("utf-8") for p in (ROOT / "workflow/rules").rglob("*.smk"))
    paths = re.findall(r"\"(?:results|logs)/[^\"]+\"", rules)
    wildcards = {name for path in paths for name in re.findall(r"{(\w+)}", path)} - {
        *("package", "paraphraser", "scatteritem", "trained"),
    }
    assert [name for name in wildcards if name not in TERMS.lower() and name.islower()] == []


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs/tutorials").glob("*.md")), ids=lambda p: p.stem
)
def test_configs_of_tutorials_can_be_run(page: Path, tmp_path: Path):
    """But for what they name of the reader's own."""
    for path in (ROOT / "config").iterdir():
        (tmp_path / path.name).symlink_to(path)
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        (tmp_path / "tutorial.yaml").write_text(block)
        load_config(tmp_path / "tutorial.yaml", root=ROOT)
