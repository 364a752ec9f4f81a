"""Experiments and model folders under random mutation: read, or refused in one message.

A few hundred mutations are tried with the other tests. For more, from the project's folder:
``python -m tests.across.test_mutated_configs [NUMBER [FIRST]]``; number n is always the same.
"""

import copy
import datetime
import json
import math
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.examples import ROOT, TINY
from tuneatlas.config.load import load_config, resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.preflight import preflight
from tuneatlas.errors import UserError
from tuneatlas.terminal import STEERING

# Longer than any of these takes by far; a pipe or a template without end would take for ever.
SECONDS = 30
BASES = ("own", "smoke", "syntax-smoke", "smollm2", "paper/s1-mistral-7b", "paper/s3-t5-base")
MODEL_CONFIG = """\
name: folder
models:
  own: {source: path, path: model}
domains:
  one: {source: file, path: own.jsonl, licence: MIT, tune: true}
  two: {source: file, path: own.jsonl, licence: MIT}
compare_groups: {ood_roles: [home]}
stage_forgetting: {groups: []}
finetune: {row_length: 128}
paraphrasers: {}
"""

DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]

# Values that are put in place of others.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 10**30, -(2**63), 0.5, -0.0, 1e308, math.nan, math.inf),
    *("", " ", "x", "~", "no", "1", "1e3", "0x10", "..", "/", "../../etc/passwd", "/dev/zero"),
    *("a" * 10_000, "\x1b[31m", "\u202e", "é", "\ud800", "a\nb", "a\x00b", "{x}"),
    *("%s", "*", "$HOME"),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": 1}}, [1, 1], ["a", "a"], DEEP),
    *({"source": "path"}, {"source": "hub"}, {"source": 5}, {"source": []}, [{"source": "path"}]),
    datetime.date(2024, 2, 29),
)
# What is put into the text of a config.
TOKENS = (
    *("&a ", "*a", "<<: *a", "!!python/object:os.system ", "!!binary aGk=", "!!set ", "!x ", "? "),
    *("---\n", "...\n", "%YAML 1.1\n", "%TAG ! x\n", "\t", "@", "`", "{", "}", "[", "]", "'", '"'),
    *(": ", "- ", "#", "|\n", ">-\n", "\ufeff", "\x00", "\x85", "\u2028", "\x1b", "\r", "\r\n"),
    *("include: config.yaml\n", "include: .\n", "include: [a]\n", "name: x\nname: y\n", "1: 2\n"),
    *("? [a, b]\n: c\n", "null: 1\n", "~: 1\n", "2024-01-01: 1\n", "0o17: 1\n", "1_000", ".nan"),
    *("&a [*a]", "&b {c: *b}", "[" * 300, "{a: " * 300, "!!timestamp 9999-99-99", "!!int x"),
    *("!!float x", "!!bool x", "!!omap [a]", "!!pairs [a]", "2024-13-45", "9" * 5000, "-" * 80),
)


class Rng(random.Random):
    """Draws of the mutations."""

    def below(self, data: Any) -> tuple[Any, Any] | None:
        """A random place in nested data: what holds it, and its key there."""
        places = [
            (holder, key)
            for holder in _holders(data)
            for key in (holder if isinstance(holder, dict) else range(len(holder)))
        ]
        return self.choice(places) if places else None


def _holders(data: Any) -> list[Any]:
    found, todo = [], [data]
    while todo:
        value = todo.pop()
        if isinstance(value, dict | list):
            found.append(value)
            todo += value.values() if isinstance(value, dict) else value
    return found


def mutated_data(rng: Rng, data: Any) -> Any:
    """Nested data with some values or keys changed."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        place, other = rng.below(data), rng.below(data)
        if place is None or other is None:
            return rng.choice(ODD)
        holder, key = place
        what = rng.randrange(6)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, dict) and isinstance(key, str):
            at = rng.randrange(len(key) + 1)
            named = key[:at] + rng.choice(("", "x", " ", "_", "\x1b", ".", "é")) + key[at + 1 :]
            holder[named] = holder.pop(key)
        elif what == 2:
            holder[key] = copy.deepcopy(other[0][other[1]])
        elif what == 3:
            holder[key] = rng.choice(([holder[key]], {"a": holder[key]}, str(holder[key])))
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD))
    return data


def mutated_text(rng: Rng, text: str) -> str:
    """A text with some characters, lines or words of YAML changed."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(text) + 1)
        to = min(len(text), at + rng.choice((1, 1, 3, 30)))
        lines = text.splitlines(keepends=True)
        row = rng.randrange(len(lines)) if lines else 0
        what = rng.randrange(7)
        if what == 0:
            text = text[:at] + text[to:]
        elif what == 1:
            text = text[:at] + rng.choice(TOKENS) + text[at:]
        elif what == 2:
            code = rng.choice((rng.randrange(128), rng.randrange(0x300)))
            text = text[:at] + chr(code) + text[to:]
        elif what == 3:
            text = "".join([*lines[:row], *lines[row : row + 1] * 2, *lines[row + 1 :]])
        elif what == 4:
            text = "".join([*lines[:row], " " * rng.randrange(1, 5), *lines[row:]])
        elif what == 5:
            text = "".join([*lines[:row], rng.choice(TOKENS).rstrip("\n"), "\n", *lines[row:]])
        elif rng.random() < 0.3:
            text = text[:at]
    return text


def written(data: Any) -> str:
    """Data as YAML, or as JSON where YAML has no word for it; JSON is YAML."""
    try:
        from io import StringIO

        stream = StringIO()
        YAML(typ="safe", pure=True).dump(data, stream)
        return stream.getvalue()
    except (ValueError, RecursionError, UnicodeError):
        return json.dumps(data, default=str)


@cache
def base(name: str) -> str:
    """The text of one of the project's configs with all it includes."""
    return written(_stated(name))


@cache
def _stated(name: str) -> Any:
    loaded = load_config(ROOT / "config" / f"{name}.yaml", root=ROOT)
    assert loaded._source is not None
    return loaded._source.plain()


def config_mutation(number: int, folder: Path) -> Path:
    """Write mutation ``number`` of a config."""
    rng = Rng(f"config {number}")
    name = rng.choice(BASES)
    if rng.random() < 0.5:
        text = written(mutated_data(rng, _stated(name)))
    else:
        text = mutated_text(rng, base(name))
    path = folder / "run.yaml"
    raw = text.encode(errors="surrogatepass")
    path.write_bytes(raw if rng.random() < 0.95 else text.encode("utf-16", errors="surrogatepass"))
    return path


def model_mutation(number: int, folder: Path) -> str:
    """Change the model folder below ``folder``; say what was changed."""
    rng = Rng(f"model {number}")
    path = rng.choice(sorted((folder / "model").iterdir()))
    what = rng.randrange(8)
    if what == 0:
        _odd_file(rng, path)
    elif what == 1:
        names = ("x.bin", "x.safetensors", ".x", "adapter_config.json")
        path.rename(path.with_name(rng.choice(names)))
    elif what == 2:
        raw = bytearray(path.read_bytes())
        for _ in range(rng.choice((1, 8))):
            raw[rng.randrange(min(len(raw), rng.choice((16, 600, 10**9))))] = rng.randrange(256)
        path.write_bytes(raw)
    elif what == 3:
        path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])
    elif path.suffix == ".json":
        _edit_json(rng, path)
    else:
        _edit_header(rng, path)
    return f"{path.name}, {what}"


def _odd_file(rng: Rng, path: Path) -> None:
    path.unlink()
    what = rng.randrange(6)
    if what == 0:
        path.mkdir()
    elif what == 1:
        os.mkfifo(path)
    elif what == 2:
        path.symlink_to("nowhere")
    elif what == 3:
        path.symlink_to("/dev/zero")
    elif what == 4:
        path.write_bytes(b"")


def _edit_json(rng: Rng, path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    if rng.random() < 0.7:
        path.write_text(json.dumps(mutated_data(rng, data), default=str))
    else:
        path.write_bytes(mutated_text(rng, json.dumps(data)).encode(errors="surrogatepass"))


def _edit_header(rng: Rng, path: Path) -> None:
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = mutated_data(rng, json.loads(raw[8 : 8 + length]))
    text = json.dumps(header, default=str).encode()
    said = rng.choice((len(text), len(text), len(text), 0, 2**63, len(raw)))
    path.write_bytes(struct.pack("<Q", said) + text + raw[8 + length :])


def read_config(path: Path) -> None:
    """All that is done with a config before a run is planned."""
    experiment = load_config(path, root=ROOT)
    preflight(experiment, ROOT, "structure")
    json.dumps(resolve(experiment))
    assert isinstance(experiment, Experiment)


def outcome(action: Callable[[], object], named: str) -> str:
    """``read``, ``refused``, or what is wrong with how it was refused."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        action()
    except UserError as error:
        lines = str(error).splitlines()
        if STEERING.search(str(error)):
            return f"steers the terminal: {error!r}"
        if not any(named in line for line in lines):
            return f"does not say where: {error}"
        return "refused"
    except BaseException:  # Whatever it is, it is reported as what went wrong.
        return traceback.format_exc(limit=-6)
    finally:
        signal.alarm(0)
    return "read"


def _too_long(*_: object) -> None:
    raise TimeoutError("it takes too long")


def try_config(number: int, folder: Path) -> str:
    """What becomes of mutation ``number`` of a config."""
    path = config_mutation(number, folder)
    return outcome(lambda: read_config(path), "run.yaml")


def try_model(number: int, folder: Path, whole: Path) -> str:
    """What becomes of mutation ``number`` of a model folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    what = model_mutation(number, folder)
    experiment = load_config(folder / "run.yaml", root=folder)
    found = outcome(lambda: preflight(experiment, folder), "models.own")
    return found if found in ("read", "refused") else f"{what}: {found}"


def make_whole(folder: Path) -> Path:
    """A project with a tiny model, questions, and a config that is ready to run."""

    from tuneatlas.models.build import new_llama, train_tokenizer
    from tuneatlas.models.save import save_model

    tokenizer = train_tokenizer(["Answer: A Answer: B Answer: C Answer: D"] * 9, 300)
    shutil.copytree(ROOT / "config/templates", folder / "config/templates")
    save_model(folder / "model", new_llama(tokenizer, TINY, seed=1).eval(), tokenizer)
    splits = ["dev"] * 5 + ["train"] * 4 + ["test"] * 4
    for name in ("one", "two"):
        lines = (
            json.dumps(
                {"question": f"{name} {n}?", "choices": list("abcd"), "answer": 0, "split": s}
            )
            for n, s in enumerate(splits)
        )
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    text = MODEL_CONFIG.replace("own.jsonl", "one.jsonl", 1).replace("own.jsonl", "two.jsonl")
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    preflight(load_config(folder / "run.yaml", root=folder), folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whole(tmp_path_factory.mktemp("whole"))


def test_mutated_configs_are_read_or_refused_in_one_message(tmp_path: Path):
    found = {n: try_config(n, tmp_path) for n in range(60)}
    assert {n: text for n, text in found.items() if text not in ("read", "refused")} == {}
    assert set(found.values()) == {"read", "refused"}


def test_mutated_model_folders_are_read_or_refused_in_one_message(tmp_path: Path, whole: Path):
    found = {n: try_model(n, tmp_path / "run", whole) for n in range(25)}
    assert {n: text for n, text in found.items() if text not in ("read", "refused")} == {}
    assert set(found.values()) == {"read", "refused"}


def main(number: int, first: int = 0) -> int:
    """Try mutations and print those that neither pass nor are refused."""
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = make_whole(folder / "whole")
        for n in range(first, first + number):
            tries = {"config": lambda n: try_config(n, folder)}
            # A model folder takes ten times as long to look through.
            if n % 5 == 0:
                tries["model"] = lambda n: try_model(n, folder / "run", whole)
            for kind, attempt in tries.items():
                text = attempt(n)
                known = text in ("read", "refused")
                name = f"{kind} {text if known else 'WRONG'}"
                counts[name] = counts.get(name, 0) + 1
                if not known:
                    print(f"--- {kind} {n}: {text}", flush=True)
    print(counts)
    return int(any("WRONG" in name for name in counts))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:] or ["5000"])))
