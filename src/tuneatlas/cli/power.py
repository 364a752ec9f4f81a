"""``tuneatlas power``: the smallest effect that each claim could tell, before anything runs."""

import argparse
from pathlib import Path

from tuneatlas.cli.size import aligned
from tuneatlas.config.load import load_config
from tuneatlas.errors import UserError
from tuneatlas.sizing.claims import halving_table, powers_of, table
from tuneatlas.sizing.pilot import read_pilot, stated
from tuneatlas.sizing.sheet import device_named, lines_of, study_of
from tuneatlas.terminal import say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="config files")
    parser.add_argument(
        "--pilot", type=Path, metavar="FOLDER", help="results of a run whose variances to take"
    )
    parser.add_argument(
        "--device", help="what hours are counted on (default: cpu if all is in fp32, else a100-80)"
    )
    parser.add_argument("--share", type=float, help="share of the device's peak that is reached")
    parser.add_argument(
        "--root", type=Path, default=Path(), help="the project's folder (default: here)"
    )


def run(options: argparse.Namespace) -> int:
    """Print both tables; return the exit code."""
    experiment = load_config(*options.files, root=options.root)
    formats = {experiment.finetune.precision, experiment.finetune_paraphrase.precision}
    usual = "cpu" if formats == {"fp32"} else "a100-80"
    device = device_named(options.device or usual, options.share)
    names = {
        "model": next(iter(experiment.compared_models), ""),
        "paraphraser": next(iter(experiment.compared_paraphrasers), ""),
    }
    if options.pilot is None:
        variances = stated()
    elif options.pilot.is_dir():
        variances = read_pilot(options.pilot, names)
    else:
        raise UserError(f"{options.pilot}: there is no such folder; --pilot names a results folder")
    study = study_of(experiment, options.root, device)
    lines = lines_of(study, options.files)
    powers = list(powers_of(experiment, study, lines, variances))
    if not powers:
        raise UserError(f"{experiment.name}: makes no claim; tune a domain or name a paraphraser")
    say("\n".join(aligned(table(powers))))
    say("")
    hours = "core-h" if device.name == "cpu" else "GPU-h"
    say("\n".join(aligned(halving_table(powers, hours))))
    say("")
    for name in dict.fromkeys(p.study for p in powers):
        say(f"Variances of {name.upper()}, {variances.sources[name]}.")
    say(
        "Smallest effect: decided in 4 of 5 cases by two-sided intervals. Hours on "
        f"{device.name}, as tuneatlas size estimates them."
    )
    if any(p.design.replicates == 1 for p in powers):
        say(
            "A claim with one base model is about this one: how base models differ is not in its "
            "interval, and more of them make another claim."
        )
    return 0
