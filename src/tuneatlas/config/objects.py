"""Which paths of a config are objects of a store, and where these come to lie."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.config.load import resolve
from tuneatlas.config.models.experiment import Experiment
from tuneatlas.config.source import Key, Node
from tuneatlas.data.objects import STORE


class Object(NamedTuple):
    """A path of the config that is in a store: its address, and where it comes to lie."""

    key: Key
    address: str
    path: str


def objects_of(experiment: Experiment) -> list[Object]:
    """All of an experiment; what merely looks like an address, as in a description, is none."""
    source = experiment._source
    if source is None:
        return []
    whole, found = resolve(experiment), []
    for key, address in _addresses(source, ()):
        path: Any = whole
        for part in key:
            path = path[part]
        if path != address:
            found.append(Object(key, address, path))
    return found


def outermost(objects: Iterable[Object]) -> list[Object]:
    """Those to be brought, each once: what lies in another one is brought with it."""
    places = {one.path: one for one in objects}
    within = {path for path in places if any(str(p) in places for p in Path(path).parents)}
    return [one for path, one in places.items() if path not in within]


def not_here(experiment: Experiment, root: Path) -> list[Object]:
    """Those that were not brought yet to where a run in ``root`` looks for them."""
    return [one for one in objects_of(experiment) if not (root / one.path).exists()]


def no_plugin(found: Object) -> str:
    """What is said where nothing is installed that could bring an object."""
    return (
        f"{found.address}: to bring it takes Snakemake's storage plugin: '.venv/bin/pip install -r "
        f"envs/s3.txt' installs it; or put it at {found.path} and name that"
    )


def _addresses(node: Node, key: Key) -> Iterator[tuple[Key, str]]:
    inner = node.value
    if isinstance(inner, str) and inner.startswith(STORE):
        yield key, inner
    elif isinstance(inner, dict | list):
        for name, child in inner.items() if isinstance(inner, dict) else enumerate(inner):
            yield from _addresses(child, (*key, name))
