"""Measure the audit page at 100,000 items: python bench/audit_page.py [ITEMS]

Builds the page of made-up results, opens it in headless Chromium and prints a table: seconds and
memory to build, and milliseconds from an input to the drawn answer (median and worst of some).
"""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from chromium import Page, chromium  # noqa: E402
from synthetic import WORDS, make_synthetic  # noqa: E402

from tuneatlas.audit.page.build import build_page  # noqa: E402

TIMES = 7
# Time from a change of the address until the view is there and two frames were drawn.
GO = """new Promise((done) => {
  const main = document.getElementById('main');
  delete main.dataset.ready;
  const start = performance.now();
  const drawn = () => main.dataset.ready
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)))
    : setTimeout(drawn, 0);
  %s;
  drawn();
})"""
HASH = "location.hash = %r"
TYPE = (
    "const q = document.getElementById('query'); q.focus(); q.value = %r; "
    "q.dispatchEvent(new Event('input'))"
)


def measured(page: Page, actions: list[str]) -> str:
    """Median and worst of the actions, in milliseconds."""
    times = [float(page.js(GO % action)) for action in actions]
    return f"{statistics.median(times):.0f} | {max(times):.0f}"


def main() -> None:
    """Build, open, measure, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        results = make_synthetic(Path(folder) / "results", count)
        made_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        started = time.process_time()
        build_page(results, results.folder / "audit")
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        files = [p for p in (results.folder / "audit").rglob("*") if p.is_file()]
        size = sum(p.stat().st_size for p in files) / 1e6
        ids = [f"facts/{word}/" for word in WORDS]
        with chromium(Path(folder) / "chromium") as page:
            begun = time.perf_counter()
            page.open(f"file://{results.folder}/audit/index.html")
            first = 1000 * (time.perf_counter() - begun)
            begun = time.perf_counter()
            page.js("atlas.catalogue().then(() => true)")
            index = 1000 * (time.perf_counter() - begun)
            names = page.js(
                f"atlas.catalogue().then((c) => c.ids.filter((_, n) => n % {count // TIMES} === 1))"
            )[:TIMES]
            print(
                f"items: {count}; build: {seconds:.0f} CPU-s, {peak} MB at most "
                f"(making the data: {made_mb} MB); {len(files)} files, {size:.0f} MB"
            )
            print(f"first view {first:.0f} ms; index of all items read after {index:.0f} ms more")
            print("| interaction | median, ms | worst, ms |\n|---|---|---|")
            typed = [f"{w} {n}" for n, w in enumerate(WORDS[:TIMES])]
            rows = {
                "search as typed, by text": [TYPE % text for text in typed],
                "search as typed, by id": [TYPE % name for name in ids[:TIMES]],
                "filter right → wrong → right": [
                    HASH % f"#filter=path:pseudo_forgotten,relation:{w}" for w in WORDS[:TIMES]
                ],
                "filter by split and base model": [
                    HASH % f"#filter=split:train,base:wrong,relation:{w}" for w in WORDS[:TIMES]
                ],
                "open an item (its file read from disk)": [HASH % f"#item={n}" for n in names],
                "open a step": [
                    HASH % f"#step={s}"
                    for s in ("probe_knowledge", "label_knowledge", "compare_groups")
                ],
            }
            for name, actions in rows.items():
                page.go("#view=data")
                print(f"| {name} | {measured(page, actions)} |")
            page.go("#view=data")
            number = "#of=accuracy/mini/facts/homo/incompatible/all/accuracy"
            once = measured(page, [HASH % number])
            page.go("#view=data")
            print(f"| a number and its {count * 2 // 5} items, tables read | {once} |")
            print(f"| the same number again | {measured(page, [HASH % number])} |")
            problems = page.problems()
            assert not problems, problems


if __name__ == "__main__":
    main()
