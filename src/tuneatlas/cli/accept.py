"""``tuneatlas accept STEP --why TEXT``: a change of code that was read, and changes no output."""

import argparse
import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneatlas.audit.accepting import acceptable
from tuneatlas.audit.lineage import read_results
from tuneatlas.config.load import DEFAULT_CONFIG
from tuneatlas.config.naming import working_folder
from tuneatlas.engine.accepted import accept, acceptances
from tuneatlas.engine.files import write_text
from tuneatlas.engine.jobs import read_plan
from tuneatlas.engine.record_files import read_record
from tuneatlas.engine.records import dump, record_path
from tuneatlas.engine.run_folders import is_locked
from tuneatlas.errors import UserError
from tuneatlas.terminal import say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("step", metavar="STEP", help="the step whose outputs stay as they are")
    parser.add_argument(
        "outputs",
        nargs="*",
        metavar="OUTPUT",
        help="of these alone: outputs, folders of outputs, or patterns such as '*/mini/*'",
    )
    parser.add_argument("--why", required=True, help="why the change makes no output another")
    parser.add_argument("--who", help="who says so (default: the user who is logged in)")
    parser.add_argument(
        "--config", type=Path, action="append", help="the experiment (default: config/config.yaml)"
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder")


def run(options: argparse.Namespace) -> int:
    """Write the acceptance to the record of each output; all of them can be, or none is."""
    why = " ".join(options.why.split())
    if not why:
        raise UserError("accept: --why (WHY of make) is empty; say why no output is another")
    if not options.step:
        raise UserError("accept: name the step (STEP of make) whose outputs stay as they are")
    who = options.who or _user()
    configs = options.config or [options.root / DEFAULT_CONFIG]
    folder = working_folder(configs, options.root)
    refuse_a_run(folder)
    jobs = read_plan(options.root, configs, folder)
    results = read_results(folder / "results", folder)
    found = acceptable(jobs, results, options.step, options.outputs)
    when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    accepted: list[dict[str, Any]] = []
    for name, code in found.due.items():
        path = record_path(results.place(name))
        if read_record(path)[0] != results.records[name]:
            raise UserError(f"{path}: written by another process just now; run accept again")
        record = accept(results.records[name], code, who=who, when=when, why=why)
        try:
            write_text(path, dump(record))
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written: {error.strerror}; {len(accepted)} of "
                f"{len(found.due)} records were: make the folder writable and run accept again"
            ) from error
        accepted.append({**record, "accepted": record["accepted"][-1:]})
    for line in acceptances(accepted):
        say(f"accepted: {line}")
    if found.current:
        say(f"{found.current} outputs of {options.step} count as made by the code here already.")
    if found.unmade:
        say(f"{found.unmade} outputs of {options.step} have no record yet: nothing to accept.")
    return 0


def refuse_a_run(folder: Path) -> None:
    """Refuse to change records while a run reads and writes them."""
    if is_locked(folder):
        raise UserError(
            f"{folder / '.snakemake/locks'}: a run is at work here, or was killed; wait for "
            f"it, or see that none is and unlock it with: snakemake --unlock --directory {folder}"
        )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise UserError("accept: this machine has no name for you; give one with --who") from None
