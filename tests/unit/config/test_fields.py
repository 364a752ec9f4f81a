"""Names and paths of any kind serve or are refused at once, by line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tests.unit.config.config_files import GOOD, complaints
from tuneatlas.config.fields import HubId, Name

BRACED = """\
prepare_restoration: {corpus: "a{b}.txt", licence: x}
fetch_source: {mirror: "x{y"}
domains:
  own: {source: file, path: "{q}.csv", licence: x}
  countries: {source: facts, tune: true}
models:
  brought: {source: path, path: "m}"}
"""


def named(name: str) -> str:
    return GOOD.replace("  small:", f"  {name}:")


@pytest.mark.parametrize("name", ["index", "a" * 65, "ä", "a.b", "-a", "a b", '"{a}"', '""', "a/b"])
def test_a_name_that_cannot_be_a_folder_of_results_is_refused(tmp_path: Path, name: str):
    (found,) = complaints(tmp_path, named(name))
    assert found.startswith(f"bad.yaml:3: models.{name.strip(chr(34))}: ") or name == '""'
    assert "choose another name" in found or "a name has lower-case letters" in found


@given(st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True))
def test_a_name_leaves_room_for_what_steps_add_to_it(name: str):
    """255 bytes are the most that a file system takes, of which an unfinished output has 110."""
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError:
        assert name[0] in "-_"
    else:
        assert len(name.encode()) <= 64


def test_braces_in_paths_are_refused_by_line(tmp_path: Path):
    found = complaints(tmp_path, BRACED)
    lines = [line for line in found if "takes braces for a wildcard" in line]
    assert [line.split(":")[1] for line in lines] == ["1", "2", "4", "7"]


NO_IDS = [
    *("owner/..", "../owner", "./x", "a//b", "a", "a/b/c", "/a", "a/", "a/.b", "a/b--c", "a/b..c"),
    *("-a/b", "a/b-", "é/x", "a/b\n", "a b/c", "a/" + "b" * 96),
]


@pytest.mark.parametrize("name", NO_IDS)
def test_what_is_no_repository_of_the_hub_is_refused(name: str):
    with pytest.raises(ValidationError):
        TypeAdapter(HubId).validate_python(name)


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-0.5B", "google-t5/t5-base", "01-ai/Yi-6B_chat.v2"])
def test_repositories_of_the_hub(name: str):
    assert TypeAdapter(HubId).validate_python(name) == name
