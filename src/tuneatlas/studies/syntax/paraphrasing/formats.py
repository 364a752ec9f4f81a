"""How a paraphrase is asked for and answered: a file of each format (Liu et al. 2024).

A format is an input pattern, an output pattern, which sentence's tree is shown as the template,
and how the paraphrase is read from what a model writes. The files are in
``config/templates/paraphrases``; what may stand in their braces is in ``FIELDS``, and how they
are read in ``READERS``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.text_files import read_yaml
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.paraphrasing.reading import READERS, Reading, reader_of
from tuneatlas.studies.syntax.pretraining.tasks import Text, sentinel
from tuneatlas.studies.syntax.trees.linear import (
    escape,
    read_bracket,
    write_bracket,
    write_sentence,
)
from tuneatlas.studies.syntax.trees.trees import Tree, prune, words

FOLDER = Path("config/templates/paraphrases")


def write_pruned(tree: Tree, height: int) -> str:
    """The tree cut at ``height``, the words kept: ``(NP the tea)``."""
    return write_bracket(prune(tree, height))


def write_leafless(tree: Tree, height: int) -> str:
    """The same without words: what is at the height bare, ``(NP DT NN)``; above it ``(VBZ )``."""
    below = [child for child in tree.children if isinstance(child, Tree)]
    inner = (escape(c.label) if height <= 2 else write_leafless(c, height - 1) for c in below)
    return f"({escape(tree.label)} {' '.join(inner)})"


def write_masked(tree: Tree, height: int) -> str:
    """The same with a sentinel in place of each word."""
    count = 0

    def visit(node: Tree) -> str:
        nonlocal count
        parts = [escape(node.label)]
        for child in node.children:
            if isinstance(child, str):
                parts.append(sentinel(count))
                count += 1
            else:
                parts.append(visit(child))
        return f"({' '.join(parts)})"

    return visit(prune(tree, height))


def write_fill(tree: Tree, _: int) -> str:
    """What the sentinels of ``write_masked`` stand for, and a last one."""
    parts = [f"{sentinel(n)}{escape(word)}" for n, word in enumerate(words(tree))]
    return "".join([*parts, sentinel(len(parts))])


# What a field shows of a sentence, by what follows its name.
FIELDS: dict[str, Callable[[Tree, int], str]] = {
    "": lambda tree, _: write_sentence(tree),
    "tree": write_pruned,
    "leafless": write_leafless,
    "masked": write_masked,
    "fill": write_fill,
}
# The template is the tree of the target or of the exemplar, as the format says.
SENTENCES = ("source", "target", "exemplar", "template")
SIDES = ("target", "exemplar")
_FIELD = re.compile(r"\{(\w+)\}")


class Format(NamedTuple):
    """A file of a format; docs/syntax.md has them as a table.

    ``train`` and ``test`` say whose tree the template is; ``read`` how the paraphrase is read
    from an output and ``tree`` how a tree is, if it has one, for its F1; ``longest`` is the
    longest output in tokens, and ``never`` are texts that none may hold.
    """

    name: str
    input: str
    output: str
    read: str
    train: str = "target"
    test: str = "exemplar"
    tree: str = ""
    longest: int = 256
    never: tuple[str, ...] = ()
    like: str = ""

    @property
    def oracle(self) -> bool:
        """Whether the template in tests is the tree of the reference, which no user has."""
        return self.test == "target" and "{template_" in self.input

    def shown(self, split: str, *, answer: bool = True) -> list[str]:
        """Which of source, target and exemplar a format needs, with or without the output."""
        text = self.input + (self.output if answer else "")
        side = self.train if split == "train" else self.test
        named = {found.partition("_")[0] for found in _FIELD.findall(text)}
        return sorted(side if name == "template" else name for name in named)


KEYS = frozenset(Format._fields) - {"name"}


def format_files(path: Path) -> list[Path]:
    """The file of a format, and those of the formats that it is like; UserError if one is wrong."""
    found = [path]
    while (like := _values(found[-1]).get("like")) is not None:
        following = path.with_name(f"{like}.yaml")
        if following in found:
            raise UserError(f"{path}: like: {like!r} leads back to where it began")
        found.append(following)
    return found


def read_format(path: Path) -> Format:
    """The format of a file; UserError names the file and the key that is wrong."""
    values: dict[str, Any] = {}
    for part in reversed(format_files(path)):
        values |= _values(part)
    for key, kind, what in (
        *((k, str, "a text") for k in ("input", "output", "read", "train", "test", "tree", "like")),
        ("longest", int, "a number of tokens"),
        ("never", list, "a list of texts"),
    ):
        if key in values and not isinstance(values[key], kind):
            raise UserError(f"{path}: {key}: {values[key]!r} is not {what}")
    if missing := [key for key in ("input", "output", "read") if key not in values]:
        raise UserError(f"{path}: no {missing[0]}, which every format has")
    values["never"] = tuple(map(str, values.get("never", ())))
    found = Format(path.stem, **values)
    for key in ("train", "test"):
        if (side := getattr(found, key)) not in SIDES:
            raise UserError(f"{path}: {key}: {side!r} is not one of {', '.join(SIDES)}")
    for key in ("input", "output"):
        for field in _FIELD.findall(getattr(found, key)):
            sentence, _, form = field.partition("_")
            if sentence not in SENTENCES or form not in FIELDS:
                known = ", ".join(f"{{{s}}}" for s in SENTENCES)
                forms = ", ".join(f"_{form}" for form in FIELDS if form)
                raise UserError(
                    f"{path}: {key}: {{{field}}} is none of {known}, alone or with one of {forms}"
                )
    for key in ("read", "tree"):
        if (said := getattr(found, key)) and reader_of(said) is None:
            raise UserError(f"{path}: {key}: {said!r} is not one of {', '.join(READERS)}")
    if found.longest < 1:
        raise UserError(f"{path}: longest: {found.longest} is no number of tokens")
    return found


def _values(path: Path) -> dict[str, Any]:
    values = read_yaml(path, "format")
    if not isinstance(values, dict) or (set(values) - KEYS):
        wrong = sorted(map(str, set(values) - KEYS)) if isinstance(values, dict) else values
        raise UserError(f"{path}: a format has keys of {sorted(KEYS)}, not {wrong}")
    return values


def trained_as(path: Path) -> str:
    """The format whose models a format uses: one that it is like and trained as, or itself."""
    name = path.stem
    own = _trained(read_format(path))
    for other in format_files(path)[1:]:
        if _trained(read_format(other)) != own:
            break
        name = other.stem
    return name


def _trained(kind: Format) -> tuple[str, str, str]:
    return kind.input, kind.output, kind.train


def fill(kind: Format, trees: Mapping[str, Tree], split: str, height: int) -> Text:
    """Input and output for the trees called as ``Format.shown`` says, cut at ``height``."""
    side = kind.train if split == "train" else kind.test
    known = {**trees, "template": trees[side]} if side in trees else trees

    def filled(match: re.Match[str]) -> str:
        name, _, form = match[1].partition("_")
        return FIELDS[form](known[name], height)

    return Text(_FIELD.sub(filled, kind.input), _FIELD.sub(filled, kind.output))


def asked(kind: Format, trees: Mapping[str, Tree], height: int) -> str:
    """The input in tests alone, for which the target need not be known."""
    return fill(kind._replace(output=""), trees, "test", height).input


def read(kind: Format, output: str) -> Reading:
    """Sentence and tree of what a model wrote for a format."""
    return Reading.of(output, kind.read, kind.tree)


def trees_of(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Tree]:
    """The trees called ``names`` of a row of PARAPHRASES."""
    return {name: read_bracket(row[name], row["id"]) for name in names}


def whole_rows(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Iterator[Any]:
    """The rows of PARAPHRASES that have all trees called ``names``."""
    wanted = list(names)
    return (row for row in rows if all(row[name] for name in wanted))
