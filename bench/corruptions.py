"""Corrupt copies of a finished run and audit each: python bench/corruptions.py PROJECT [TIMES]

PROJECT is a folder with results/ of a run by this version. Copies are made of hard links, and what
is corrupted is replaced, so that the run itself stays as it is. A file that a copy shares with the
run is hashed, and checked as a table, once; everything else is done anew for each copy. Whether
the code is that of the run is not asked: it is a matter of the checkout, not of the results. Exit
code 1 if a corruption is not named, or if anything is found in a clean copy.
"""

import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.unit.audit.corruptions import CORRUPTIONS  # noqa: E402
from tuneatlas.audit import checks  # noqa: E402
from tuneatlas.audit.lineage import Results, read_results  # noqa: E402
from tuneatlas.engine.files import FOLDER_MARK  # noqa: E402
from tuneatlas.engine.records import SUFFIX  # noqa: E402

CLEAN = 20


def linked(results: Path, to: Path) -> Path:
    """A copy whose files are those of ``results`` until they are replaced."""
    shutil.copytree(results, to, copy_function=os.link)
    return to


def audit(folder: Path, whole: Results) -> list[tuple[str, str]]:
    """The findings in a copy: kind and name."""
    results = read_results(folder, whole.root)
    for name in results.records:
        copied, own = results.place(name), whole.place(name)
        if unchanged(copied, own):
            results._contents[name] = whole.content(name)
    return [
        (f.kind, f.where.removesuffix(SUFFIX)) for f in checks.run_checks(results, checks.INTEGRITY)
    ]


def unchanged(copied: Path, own: Path) -> bool:
    """Whether an output of a copy is, file by file, that of the run."""
    if not copied.exists():
        return False
    if copied.is_file():
        return copied.samefile(own)
    names = [sorted(p.relative_to(f) for p in f.rglob("*")) for f in (copied, own)]
    return names[0] == names[1] and all(
        (copied / n).samefile(own / n) for n in names[0] if (own / n).is_file()
    )


def remembered() -> None:
    """Check a table that several copies share once."""
    known: dict[tuple[int, int], str] = {}
    check = checks.table_problem

    def once(path: Path) -> str:
        status = path.stat()
        key = (status.st_ino, status.st_mtime_ns)
        if status.st_nlink == 1:
            return check(path)
        if key not in known:
            known[key] = check(path)
        return known[key]

    checks.table_problem = once


def main() -> int:
    """Corrupt, audit, count."""
    source = Path(sys.argv[1]) / "results"
    remembered()
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    whole = read_results(source, Path(sys.argv[1]))
    for name in whole.records:
        whole.content(name)
    missed: list[str] = []
    accused: list[str] = []
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        for number in range(times + CLEAN):
            copied = linked(source, Path(folder) / str(number))
            if number >= times:
                if number % 2:  # as an interrupted run leaves it, and as git copies it
                    (copied / "finetune" / ".0.9a37a004e8a7").mkdir()
                    for mark in copied.rglob(FOLDER_MARK):
                        mark.unlink()
                alarms = audit(copied, whole)
                accused += [f"clean copy {number - times}: {alarm}" for alarm in alarms]
            else:
                corrupt = CORRUPTIONS[number % len(CORRUPTIONS)]
                named = corrupt(copied, random.Random(number))
                found = audit(copied, whole)
                done[corrupt.__name__] += 1
                where = {name for _, name in found}
                if not set(named) <= where:
                    missed.append(
                        f"{number} {corrupt.__name__}: {named}, found {sorted(where)[:5]}"
                    )
                others = [f for f in found if f[1] not in named and f[0] != "rows"]
                accused += [f"{number} {corrupt.__name__} of {named}: {f}" for f in others]
            shutil.rmtree(copied)
            print(f"\r{number + 1} of {times + CLEAN}", end="", file=sys.stderr, flush=True)
    print()
    print(
        f"{times} corruptions ({', '.join(f'{k} {v}' for k, v in done.items())}): "
        f"{times - len(missed)} found and named, {len(missed)} missed"
    )
    print(f"{CLEAN} clean copies and the rest of corrupted ones: {len(accused)} false alarms")
    print("\n".join(missed + accused))
    return 1 if missed or accused else 0


if __name__ == "__main__":
    sys.exit(main())
