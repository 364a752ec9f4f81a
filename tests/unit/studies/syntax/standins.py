"""Stand-ins for Java: scripts that tokenise and parse as a parser does, and misbehave as asked."""

import stat
import sys
from pathlib import Path

from tuneatlas.studies.syntax.trees import parsers

SCRIPT = r"""#!{python} -IS
import os, re, signal, sys
lines = open(sys.argv[-1], encoding="utf-8").read().split("\n")[:-1]
sys.stdout.reconfigure(encoding="utf-8")
if any("PTBTokenizer" in a for a in sys.argv):
    for line in lines:
        print(*re.findall(r"\w+|\S", line))
    sys.exit(0)
starts = os.path.join(os.path.dirname(sys.argv[0]), "starts")
open(starts, "a").write("%d\n" % len(lines))
start = len(open(starts).readlines())
answers = []
for line in lines:
    {misdeed}
    answers.append("(ROOT (S " + " ".join("(X %s)" % w for w in line.split()) + "))")
print("\n".join(answers))
"""


def stand_in(folder: Path, misdeed: str = "pass") -> parsers.Stanford:
    """A parser whose Java does ``misdeed`` for each ``line``, having ``answers`` so far."""
    java = folder / "java"
    java.write_text(SCRIPT.format(python=sys.executable, misdeed=misdeed), encoding="utf-8")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    jars = folder / parsers.STANFORD
    jars.mkdir(parents=True)
    for name in ("stanford-parser.jar", "stanford-parser-3.3.1-models.jar"):
        (jars / name).touch()
    return parsers.Stanford(folder, java)
