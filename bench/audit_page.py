"""Measure the audit page at 100,000 items: python bench/audit_page.py FOLDER [ITEMS]

Builds the page of made-up results in FOLDER, if it is not there yet, and tells processor seconds
and memory. Then opens it in headless Chromium and prints a table of milliseconds, median and worst
of some: from an input to the drawn answer by the clock, and of the page's own thread alone, which
does not depend on what else the machine does.
"""

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.chromium import Page, chromium  # noqa: E402
from tests.unit.audit.synthetic import WORDS, make_synthetic  # noqa: E402
from tuneatlas.audit.page.build import build_page  # noqa: E402

TIMES = 7
NUMBER = "#of=accuracy/mini/facts/homo/incompatible/all/accuracy"
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


def busy(page: Page) -> float:
    """Milliseconds that the page's thread has worked."""
    found = page.do("Performance.getMetrics")["metrics"]
    return 1000 * next(m["value"] for m in found if m["name"] == "TaskDuration")


def measured(page: Page, actions: list[str]) -> str:
    """By the clock and of the page's thread: median and worst of the actions, in milliseconds."""
    times, worked = [], []
    for action in actions:
        before = busy(page)
        times.append(float(page.js(GO % action)))
        worked.append(busy(page) - before)
    return " | ".join(f"{f(x):.0f}" for x in (times, worked) for f in (statistics.median, max))


def build(folder: Path, count: int) -> None:
    """Make results and their page; tell what the page cost."""
    results = make_synthetic(folder / "results", count)
    made_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    started = time.process_time()
    build_page(results, results.folder / "audit")
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    files = [p for p in (results.folder / "audit").rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files) / 1e6
    print(
        f"items: {count}; build: {seconds:.0f} CPU-s, {peak} MB at most (making the data: "
        f"{made_mb} MB); {len(files)} files, {size:.0f} MB"
    )


def actions_of(names: list[str]) -> dict[str, list[str]]:
    """What is done, in words and as script; ``names`` are ids of items far apart."""
    steps = ("probe_knowledge", "label_knowledge", "compare_groups")
    chosen = WORDS[:TIMES]
    return {
        "search as typed, by text": [TYPE % f"{w} {n}" for n, w in enumerate(chosen)],
        "search as typed, by id": [TYPE % f"facts/{w}/" for w in chosen],
        "filter right → wrong → right": [
            HASH % f"#filter=path:pseudo_forgotten,relation:{w}" for w in chosen
        ],
        "filter by split and base model": [
            HASH % f"#filter=split:train,base:wrong,relation:{w}" for w in chosen
        ],
        "open an item (its file read from disk)": [HASH % f"#item={n}" for n in names],
        "open a step": [HASH % f"#step={s}" for s in steps],
        "a number with its items, tables read": [HASH % NUMBER],
        "the same number again": [HASH % NUMBER],
    }


def main() -> None:
    """Build, open, measure, print."""
    folder = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    if not (folder / "results" / "audit").is_dir():
        build(folder, count)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as page:
        page.do("Performance.enable", timeDomain="threadTicks")
        begun = time.perf_counter()
        page.open(f"file://{(folder / 'results').absolute()}/audit/index.html")
        first = 1000 * (time.perf_counter() - begun)
        before = busy(page)
        index = float(
            page.js(
                "(async () => { const t = performance.now(); await atlas.catalogue(); "
                "return performance.now() - t; })()"
            )
        )
        print(f"first view {first:.0f} ms; index read after {index:.0f} ms more, "
              f"{busy(page) - before:.0f} ms of them work")  # fmt: skip
        names = page.js(
            f"atlas.catalogue().then((c) => c.ids.filter((_, n) => n % {count // TIMES} === 1))"
        )[:TIMES]
        print("| interaction | clock: median | worst | thread: median | worst |")
        print("|---|---|---|---|---|")
        for name, actions in actions_of(names).items():
            page.go("#view=data")
            print(f"| {name} | {measured(page, actions)} |")
        assert not page.problems(), page.problems()


if __name__ == "__main__":
    main()
