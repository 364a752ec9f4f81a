"""Medicine: codes of the clinical classification ICD-10-CM."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

from tuneatlas.data.facts.model import Domain, Fact, Folders, Relation, attribute

PACKAGE = "simple-icd-10-cm"
FILE = "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml"
LONGEST = 32
VAGUE = re.compile(r"\b(other|unspecified|elsewhere|not|specified|without)\b", re.IGNORECASE)


def _facts(path: str) -> Callable[[Folders], list[Fact]]:
    def facts(folders: Folders) -> list[Fact]:
        tree = ElementTree.parse(folders[PACKAGE] / FILE)
        found = []
        for chapter in tree.getroot().iter("chapter"):
            title = re.sub(r" \(.*", "", chapter.findtext("desc", ""))
            for entry in chapter.findall(path):
                code, text = entry.findtext("name", ""), entry.findtext("desc", "")
                if len(text) <= LONGEST and not VAGUE.search(text):
                    more = f"It belongs to the chapter on {title[:1].lower()}{title[1:]}."
                    found.append(Fact(text, code, code[0], more=more))
        return found

    return facts


def _codes(name: str, role: str, noun: str, path: str, size: int) -> Relation:
    return Relation(
        name=name,
        role=role,
        package=PACKAGE,
        file=FILE,
        question=f"What is the {noun} of {{subject}}?",
        statements=attribute(noun),
        facts=_facts(path),
        size=size,
        ordered=True,
    )


MEDICINE = Domain(
    "medicine",
    "the classification of diseases",
    (
        _codes("category", "home", "ICD-10 category", "section/diag", 460),
        _codes("subcategory", "related", "ICD-10 subcategory", "section/diag/diag", 240),
    ),
)
