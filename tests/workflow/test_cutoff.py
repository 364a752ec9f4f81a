"""Early cut-off, as real Snakemake does it: which jobs run after an edit, and what they leave."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from small_workflow import Node, Nodes, expected, forget, held, numbers, run, write

NOTHING = "Nothing to be done"


def made(project: Path, *nodes: Node) -> Nodes:
    """A finished run of these steps, of which each may read those before it."""
    project.mkdir(exist_ok=True)
    (project / "own.txt").write_text("1")
    found = {node.name: node for node in nodes}
    write(project, found)
    ran, said = run(project)
    assert sorted(ran) == sorted(found), said
    return found


def check(project: Path, before: Nodes, now: Nodes, *words: str) -> str:
    """Run after an edit: the steps of the reference run, the end is that of a run from scratch."""
    runs = expected(project, before, now)
    write(project, now)
    ran, said = run(project, *words)
    assert sorted(ran) == sorted(runs), said
    values = numbers(project, now)
    for node in now.values():
        assert set(held(project, node)) <= {values[node.name]}, said
    return said


def stands(project: Path) -> bool:
    return NOTHING in run(project, "--dry-run")[1]


CHAIN = (
    Node("a", [], ["own.txt"]),
    Node("b", ["a"]),
    Node("c", ["b"], kind="folder"),
    Node("d", ["a", "c"], kind="two"),
    Node("e", ["d"]),
)


def test_equal_bytes_remake_nothing_behind_them(tmp_path: Path):
    before = made(tmp_path, *CHAIN)
    now = {**before, "a": replace(before["a"], unused=1)}
    said = check(tmp_path, before, now)
    assert "4 jobs: b 1, c 1, d 1, e 1" in said
    assert "2 of 2 steps (100%) done" in said
    # Other bytes go on for as long as they are others: one and one are none.
    later = {**now, "a": replace(now["a"], number=1)}
    assert "1 job: e 1" in check(tmp_path, now, later)
    # The engine's notes lost, and outputs that nothing waits for deleted.
    forget(tmp_path)
    (tmp_path / "results/b").unlink()
    last = {**later, "a": replace(later["a"], add=2), "e": replace(later["e"], add=1)}
    check(tmp_path, later, last)
    assert not (tmp_path / "results/b").exists()
    assert stands(tmp_path)


def test_what_was_deleted_is_made_only_for_what_must_run(tmp_path: Path):
    before = made(tmp_path, *CHAIN)
    (tmp_path / "results/b").unlink()
    now = {**before, "a": replace(before["a"], unused=1)}
    check(tmp_path, before, now)
    assert not (tmp_path / "results/b").exists()
    later = {**now, "c": replace(now["c"], unused=1)}
    check(tmp_path, now, later)
    assert (tmp_path / "results/b").exists()


def test_a_failure_elsewhere_cuts_nothing_off(tmp_path: Path):
    before = made(tmp_path, *CHAIN[:2], Node("f", []), Node("g", ["b", "f"]))
    now = {**before, "a": replace(before["a"], unused=1), "f": replace(before["f"], unused=1)}
    (tmp_path / "broken.f").touch()
    write(tmp_path, now)
    ran, said = run(tmp_path, "--keep-going")
    assert sorted(ran) == ["a", "f"], said
    assert "1 job: b 1" in said
    (tmp_path / "broken.f").unlink()
    ran, said = run(tmp_path)
    assert ran == ["f"], said
    assert stands(tmp_path)


def edited(project: Path, nodes: Nodes, rng: random.Random) -> Nodes:
    """One to three edits at random: of code, settings, files of the user, and what is there."""
    found = dict(nodes)
    for _ in range(rng.randint(1, 3)):
        node = rng.choice([*found.values()])
        path = project / node.output
        match rng.choice(("unused", "number", "add", "own", "delete", "touch", "forget", "reads")):
            case "unused":
                found[node.name] = replace(node, unused=node.unused + 1)
            case "number":
                found[node.name] = replace(node, number=node.number + rng.randint(1, 2))
            case "add":
                found[node.name] = replace(node, add=node.add + rng.randint(1, 2))
            case "own":
                (project / "own.txt").write_text(str(rng.randint(0, 3)))
            case "delete" if path.is_file():
                path.unlink()
            case "touch" if path.is_file():
                path.touch()
            case "forget":
                forget(project)
            case "reads" if node.reads:
                found[node.name] = replace(node, reads=node.reads[1:])
    return found


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 9))]
)
def test_random_edits_run_what_a_reference_says(seed: int, tmp_path: Path):
    rng = random.Random(seed)
    nodes: list[Node] = []
    for number in range(rng.randint(5, 8)):
        reads = rng.sample([n.name for n in nodes], min(len(nodes), rng.randint(1, 3)))
        files = ["own.txt"] if not reads or rng.random() < 0.2 else []
        nodes.append(
            Node(f"n{number}", sorted(reads), files, rng.choice(("file", "folder", "two")))
        )
    before = made(tmp_path / "project", *nodes)
    for _ in range(2 if seed == 0 else 8):
        now = edited(tmp_path / "project", before, rng)
        check(tmp_path / "project", before, now)
        before = now
    assert stands(tmp_path / "project")
