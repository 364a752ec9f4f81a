"""The same training in several processes: one per device, on one node or on several."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, TrainerCallback

from tuneatlas.engine.files import remove, write_text
from tuneatlas.errors import TransientError, UserError
from tuneatlas.models.load import open_network, open_tokenizer
from tuneatlas.models.save import save_model, sparing_deepspeed
from tuneatlas.models.token_files import open_tokens
from tuneatlas.training.fitting import refuse_beyond
from tuneatlas.training.launch import deepspeed_config, run_shared, start_deepspeed
from tuneatlas.training.packing import Piece, Row
from tuneatlas.training.recipe import Recipe, Run
from tuneatlas.training.resharding import Mended, parts_of, reshard
from tuneatlas.training.trainer import (
    RESUME,
    newest_checkpoint,
    ranks,
    train_here,
    training_arguments,
)

INITIAL, TRAINED, STOP, STOPPED, FULL = "initial", "trained", "stop", "stopped", "full"
REFUSED = "refused"
# Written by the first process when all else is.
HISTORY = "history.json"


def train(model: PreTrainedModel, run: Run) -> list[dict[str, float]]:
    """Train ``model`` in place, in this process or in the recipe's; see `train_here`."""
    recipe = run.recipe
    refuse_beyond(model, run)
    if recipe.processes == 1 and recipe.deepspeed is None:
        with sparing_deepspeed():
            return train_here(model, run)
    if run.tokens.folder is None:
        raise ValueError("tokens in memory cannot be shared between processes")
    folder = run.states.with_name(f"{run.states.name}-shared").absolute()
    remove(folder)
    save_model(folder / INITIAL, model, run.tokenizer)
    write_plan(folder / "plan.npy", run.steps)
    job = {
        "tokens": str(run.tokens.folder.absolute()),
        "recipe": asdict(recipe),
        "states": str(run.states.absolute()),
        "seed": run.seed,
        "kept": {n: [str(p.absolute()) for p in paths] for n, paths in run.kept.items()},
        "last": run.last,
        "section": run.section,
        "beside": dict(run.beside),
    }
    write_text(folder / "job.json", json.dumps(job))
    marks = (folder / name for name in (STOP, STOPPED, FULL))
    try:
        run_shared([__name__, str(folder)], recipe, *marks)
    except TransientError:
        said = refusals(folder)
        # What the first process writes last stands: one fell while it took itself apart.
        if not said and not (folder / HISTORY).is_file():
            raise
    else:
        said = []
    if said:
        raise UserError(said[0])
    trained = open_network(folder / TRAINED)
    model.load_state_dict(trained.state_dict())
    history: list[dict[str, float]] = json.loads((folder / HISTORY).read_text())
    remove(folder)
    return history


def refusals(folder: Path) -> list[str]:
    """What processes that refused to go on said: another attempt would end alike."""
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"{REFUSED}-*"))]


def read_run(folder: Path) -> Run:
    """The run that the first process described in ``folder``."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    return Run(
        tokens=open_tokens(Path(job["tokens"])),
        steps=read_plan(folder / "plan.npy"),
        recipe=Recipe(**job["recipe"]),
        tokenizer=open_tokenizer(folder / INITIAL),
        states=Path(job["states"]),
        seed=job["seed"],
        kept={int(n): [Path(p) for p in paths] for n, paths in job["kept"].items()},
        last=job["last"],
        section=job["section"],
        beside=job["beside"],
    )


def write_plan(path: Path, steps: Sequence[list[Row]]) -> None:
    """Rows of all steps as one array of (step, row, start, length)."""
    flat = [
        (number, line, piece.start, piece.length)
        for number, rows in enumerate(steps)
        for line, row in enumerate(rows)
        for piece in row
    ]
    np.save(path, np.array(flat, np.int64))


def read_plan(path: Path) -> list[list[Row]]:
    """The steps that `write_plan` wrote."""
    steps: list[list[Row]] = []
    for number, line, start, length in np.load(path).tolist():
        if number == len(steps):
            steps.append([])
        if line == len(steps[number]):
            steps[number].append([])
        steps[number][line].append(Piece(start, length))
    return steps


def work(folder: Path) -> None:
    """What each process does: train its share; the first one writes the result."""
    try:
        _work(folder)
    except torch.OutOfMemoryError:
        (folder / FULL).touch()
        raise
    except UserError as error:
        if not isinstance(error, TransientError):
            write_text(folder / f"{REFUSED}-{os.environ.get('RANK', '0')}", str(error))
        raise


def _work(folder: Path) -> None:
    run = read_run(folder)
    recipe = run.recipe
    if recipe.deepspeed is not None:
        start_deepspeed()
    callbacks = _put_together(recipe, newest_checkpoint(run.states))
    # With ZeRO-3 these make the model load in parts.
    arguments = training_arguments(run, deepspeed_config(recipe, whole=bool(callbacks)))
    try:
        with sparing_deepspeed():
            history = train_here(
                open_network(folder / INITIAL),
                run,
                arguments=arguments,
                callbacks=[*callbacks, *_unrounded(recipe, folder / INITIAL)],
                trained=folder / TRAINED,
                stop=folder / STOP,
            )
    except SystemExit as stop:
        if stop.code == RESUME and torch.distributed.get_rank() == 0:
            write_text(folder / STOPPED, "")
        raise
    if torch.distributed.get_rank() == 0:
        write_text(folder / HISTORY, json.dumps(history))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def _unrounded(recipe: Recipe, initial: Path) -> list[TrainerCallback]:
    """What lets DeepSpeed begin at the weights in ``initial`` where it would round them."""
    if recipe.deepspeed is None or recipe.precision == "fp32":
        return []
    # Only here: the library takes a second to import.
    from tuneatlas.training.masters import Unrounded

    return [Unrounded(initial)]


def _put_together(recipe: Recipe, newest: Path | None) -> list[TrainerCallback]:
    """See that DeepSpeed can go on from a checkpoint; what it takes, if that was of other parts."""
    parts = parts_of(newest) if newest and recipe.deepspeed else 0
    if newest is None or parts in (0, ranks()):
        return []
    if torch.distributed.get_rank() == 0:
        reshard(newest)
    torch.distributed.barrier()
    return [Mended(recipe.weight_decay)]


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.INFO if os.environ["RANK"] == "0" else logging.ERROR)
    work(Path(sys.argv[1]))
