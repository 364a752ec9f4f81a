"""``docs/plans.md``: what the experiments at full size take, kept in step with them."""

from pathlib import Path

from tuneatlas.config.load import load_config
from tuneatlas.sizing.estimates import DEVICES
from tuneatlas.sizing.sheet import (
    lines_of,
    refuse_misfits,
    study_of,
    summary,
    table,
)

PAGE = Path("docs/plans.md")
DEVICE = DEVICES["a100-80"]
HEAD = f"""\
# What experiments at full size take

Written by `make plans` from `config/own*.yaml`, `config/pythia.yaml` and `config/paper/*.yaml`:
no data, network or GPU is needed, and a test keeps it in step. These are estimates, before a run:
`tuneatlas size FILE` says them for any config and device, `tuneatlas size FILE --compare` puts them
beside what jobs took. What they assume stands in `src/tuneatlas/sizing/`: {DEVICE.share:.0%} of the
peak of an {DEVICE.name}, groups as large as `expected.group` of a domain says, or else as all
training questions (they are found by the probe, and smaller), and the questions that each plan
names. `tuneatlas size` counts a file that is at hand; of one that is not, `expected` in its domain
says the number. What neither it nor a limit says is marked as assumed.
"""


def full_configs(root: Path) -> list[Path]:
    """The experiments at full size; what they share lies in the folder ``base``."""
    names = ("own", "own-paraphrase", "pythia")
    own = [root / f"config/{name}.yaml" for name in names]
    return [*own, *sorted((root / "config/paper").glob("*.yaml"))]


def page(root: Path) -> str:
    """The page as it should be."""
    return HEAD + "".join(_section(root, path) for path in full_configs(root))


def write_plans(root: Path) -> Path:
    """Write the page; return its path."""
    (root / PAGE).write_text(page(root), encoding="utf-8")
    return root / PAGE


def outdated(root: Path) -> bool:
    """Whether the page is not as it should be."""
    path = root / PAGE
    return not path.is_file() or path.read_text(encoding="utf-8") != page(root)


def _section(root: Path, path: Path) -> str:
    experiment = load_config(path, root=root)
    study = study_of(experiment, root, DEVICE, look=False)
    lines = lines_of(study, [path])
    refuse_misfits(experiment, study, lines)
    rows = table(lines)
    cells = ["| " + " | ".join(row) + " |" for row in rows]
    cells.insert(1, "|---" * 2 + "|--:" * (len(rows[0]) - 2) + "|")
    text = "\n".join(cells)
    return (
        f"\n## {path.relative_to(root)}\n\n{experiment.description}\n\n"
        f"{summary(study, lines)}\n\n{text}\n"
    )
