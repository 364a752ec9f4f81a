"""How a paraphrase is asked for and answered: one table of all variants (Liu et al. 2024).

A format is an input pattern, a target pattern, and how sentence and tree are read back from
what the model writes. The fields of the patterns are in ``FIELDS``.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.pretraining.tasks import SEP, Text
from tuneatlas.studies.syntax.trees.linear import (
    FORMS,
    Form,
    TreeError,
    escape,
    read_bracket,
    write_sentence,
)
from tuneatlas.studies.syntax.trees.trees import Tree, leafless, nodes, prune, words


class Shape(NamedTuple):
    """How trees are shown: cut at ``height`` and written in ``form``."""

    height: int
    form: Form


def _tree(tree: Tree, shape: Shape) -> str:
    return shape.form.write(prune(tree, shape.height))


def _leafless(tree: Tree, shape: Shape) -> str:
    return shape.form.write(leafless(tree, shape.height))


def _masked(tree: Tree, shape: Shape) -> str:
    """The pruned tree with one sentinel for all words in a row."""
    number = 0

    def visit(node: Tree) -> Tree:
        nonlocal number
        children: list[Tree | str] = []
        for is_word, run in groupby(node.children, key=lambda child: isinstance(child, str)):
            if is_word:
                children.append(f"<extra_id_{number}>")
                number += 1
            else:
                children += [visit(child) for child in run if isinstance(child, Tree)]
        return Tree(node.label, tuple(children))

    return shape.form.write(visit(prune(tree, shape.height)))


def _tokens(tree: Tree, _: Shape) -> str:
    """``(DT the) (NN cat)``: each word marked with its tag."""
    return " ".join(
        f"({escape(node.label)} {escape(child)})"
        for _, node in nodes(tree)
        for child in node.children
        if isinstance(child, str)
    )


# Tree forms that a field may have after the name of the sentence it shows.
FIELDS: dict[str, Callable[[Tree, Shape], str]] = {
    "": lambda tree, _: write_sentence(tree),
    "_tree": _tree,
    "_leafless": _leafless,
    "_masked": _masked,
    "_tokens": _tokens,
    "_phrases": _tree,
}
# The template is shown as a tree without its words, the exemplar with them: the template of a
# training pair is the target's own tree, whose words are the answer.
SENTENCES = ("source", "template", "exemplar", "target")


class Format(NamedTuple):
    """Input and target patterns, and how a written target is read (a key of READERS)."""

    input: str
    target: str
    read: str


EXEMPLAR = "{source} <sep> {exemplar}"
AESOP = "{source} <sep> {source_tree} <sep> {template_leafless}"
TOKENS = "{source_tokens} <sep> {exemplar_tokens}"
PHRASES = "{source_phrases} <sep> {exemplar_phrases}"
FORMATS: dict[str, Format] = {
    "masked_template": Format(
        "{source} <sep> {source_tree} <sep> {template_masked}", "{target}", "sentence"
    ),
    "aesop": Format(AESOP, "{target}", "sentence"),
    "aesop_tree": Format(AESOP, "{template_leafless} <sep> {target}", "tree_then_sentence"),
    "exemplar": Format(EXEMPLAR, "{target}", "sentence"),
    "tokens_source": Format("{source_tokens} <sep> {exemplar}", "{target}", "sentence"),
    "tokens_template": Format("{source} <sep> {exemplar_tokens}", "{target}", "sentence"),
    "tokens_both": Format(TOKENS, "{target}", "sentence"),
    "tokens_target": Format(EXEMPLAR, "{target_tokens}", "tokens"),
    "tokens_all": Format(TOKENS, "{target_tokens}", "tokens"),
    "phrases_source": Format("{source_phrases} <sep> {exemplar}", "{target}", "sentence"),
    "phrases_template": Format("{source} <sep> {exemplar_phrases}", "{target}", "sentence"),
    "phrases_both": Format(PHRASES, "{target}", "sentence"),
    "phrases_target": Format(EXEMPLAR, "{target_phrases}", "phrases"),
    "phrases_all": Format(PHRASES, "{target_phrases}", "phrases"),
}


class Reading(NamedTuple):
    """What was read from an output: written sentence, tree if the format has one, problem."""

    sentence: str
    tree: Tree | None
    problem: str


def _read_sentence(text: str, _: Form) -> Reading:
    return Reading(" ".join(text.split()), None, "")


def _read_phrases(text: str, form: Form) -> Reading:
    try:
        tree = form.read(text, "output")
    except TreeError as error:
        return Reading(_outside(text), None, str(error))
    return Reading(write_sentence(tree), tree, "")


def _read_tokens(text: str, _: Form) -> Reading:
    try:
        tree = read_bracket(f"(ROOT {text})", "output")
    except TreeError as error:
        return Reading(_outside(text), None, str(error))
    flat = all(isinstance(c, Tree) and len(c.children) == 1 for c in tree.children)
    flat = flat and len(words(tree)) == len(tree.children)
    return Reading(write_sentence(tree), tree, "" if flat else "output: not one tag for each word")


def _read_tree_then_sentence(text: str, form: Form) -> Reading:
    first, found, last = text.rpartition(SEP)
    if not found:
        return Reading("", None, f"output: no {SEP}")
    try:
        return Reading(" ".join(last.split()), form.read(first, "output"), "")
    except TreeError as error:
        return Reading(" ".join(last.split()), None, str(error))


def _outside(text: str) -> str:
    """What is neither a bracket nor the label after one: the words of a broken tree."""
    spaced = text.replace("(", " ( ").replace(")", " ) ").split()
    pairs = zip(["", *spaced], spaced, strict=False)
    return " ".join(s for before, s in pairs if s not in "()" and before != "(")


READERS: dict[str, Callable[[str, Form], Reading]] = {
    "sentence": _read_sentence,
    "tokens": _read_tokens,
    "phrases": _read_phrases,
    "tree_then_sentence": _read_tree_then_sentence,
}


def format_named(name: str) -> Format:
    """The format called ``name``."""
    if name not in FORMATS:
        raise UserError(f"formats: no format {name!r}; there are: {', '.join(FORMATS)}")
    return FORMATS[name]


def shown(kind: Format) -> list[str]:
    """Those of SENTENCES that a format shows."""
    return [name for name in SENTENCES if f"{{{name}" in kind.input + kind.target]


def fill(kind: Format, trees: Mapping[str, Tree], shape: Shape) -> Text:
    """Input and target for the trees called as ``shown`` says."""
    return Text(_fill(kind.input, trees, shape), _fill(kind.target, trees, shape))


def _fill(pattern: str, trees: Mapping[str, Tree], shape: Shape) -> str:
    parts = []
    for field in pattern.replace("{", "").replace("}", "").split():
        name, _, form = field.partition("_")
        if name in SENTENCES:
            parts.append(FIELDS[f"_{form}" if form else ""](trees[name], shape))
        else:
            parts.append(field)
    return " ".join(parts)


def read(kind: Format, output: str, shape: Shape) -> Reading:
    """Sentence and tree of what the model wrote for a format."""
    return READERS[kind.read](output, shape.form)


def trees_of(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Tree]:
    """The trees called ``names`` of a row of PARAPHRASES."""
    return {name: read_bracket(row[name], row["id"]) for name in names}


def shape_of(step: Step) -> Shape:
    """How trees are shown, from the step's options."""
    return Shape(step.options["height"], FORMS[step.options["form"]])
