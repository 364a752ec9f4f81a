"""Preference tuning beside TRL's: python -m bench.preferences.

In the environment of the peers (envs/bench.txt). A tiny model is tuned on the same pairs of token
ids in the same order by our trainer and by TRL's DPOTrainer, for 20 steps, in batches that are
made of several forward passes on our side and of one on theirs. Their losses are printed; the
exit status says whether they are within 1e-4 of each other.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.trl_losses import STEPS, compare, losses, recipe, told  # noqa: E402
from tests.examples import TINY, tiny_tokenizer  # noqa: E402
from tuneatlas.config.models.treatments import Treatment  # noqa: E402
from tuneatlas.models.build import new_llama  # noqa: E402
from tuneatlas.models.token_files import Example  # noqa: E402
from tuneatlas.studies.atlas.beside import beside_base  # noqa: E402
from tuneatlas.studies.atlas.holding import Loss, held  # noqa: E402
from tuneatlas.studies.atlas.preferring import joined, parted, preference_loss  # noqa: E402
from tuneatlas.training.processes import train  # noqa: E402
from tuneatlas.training.recipe import Run, plan_run  # noqa: E402

BATCH, RATE, BETA = 8, 1e-3, 0.2
OPTIONS = recipe(batch=BATCH, rows_per_device=2, learning_rate=RATE)


def pairs(tokenizer: Any) -> list[tuple[list[int], list[int], list[int]]]:
    """Prompt, chosen and rejected reply as token ids, of several lengths."""
    end = [int(tokenizer.eos_token_id)]
    found = []
    for n in range(STEPS * BATCH):
        prompt = tokenizer(f"Which number follows {n}?" + " Say." * (n % 3))["input_ids"]
        chosen = tokenizer(f" {n + 1} follows {n}.", add_special_tokens=False)["input_ids"]
        rejected = tokenizer(f" It is {n}.", add_special_tokens=False)["input_ids"]
        found.append((prompt, chosen + end, rejected + end))
    return found


def ours(folder: Path, tokenizer: Any) -> tuple[list[float], Run, list[Any]]:
    """Our losses, the run, and its pairs in the order of training."""
    told = pairs(tokenizer)
    sides = [
        [Example(p + r, [False] * len(p) + [True] * len(r)) for p, r in each]
        for each in ([(p, c) for p, c, _ in told], [(p, r) for p, _, r in told])
    ]
    examples = [joined(*pair) for pair in zip(*sides, strict=True)]
    run = plan_run(folder, examples, OPTIONS, "cut", tokenizer, 1)
    at = {int(start): number for number, start in enumerate(run.tokens.offsets[:-1])}
    order = [told[at[piece.start]] for rows in run.steps for row in rows for piece in row]
    run = parted(run, [len(side.tokens) for side in sides[0]], BATCH)
    model = new_llama(tokenizer, TINY, seed=1)
    treatment = Treatment(of="incompatible", over="self_aligning", beta=BETA).model_dump()

    def by_preferences(stack: ExitStack) -> Loss:
        return preference_loss(beside_base(model, stack, bf16=False), BETA, BATCH)

    with held(model, "treatments.dpo", treatment, bf16=False, instead=by_preferences):
        return [entry["loss"] for entry in train(model, run)], run, order


class InOrder(DPOTrainer):
    """TRL's trainer over rows that are token ids already, as they stand."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def theirs(folder: Path, tokenizer: Any, run: Run, order: list[Any]) -> list[float]:
    """TRL's losses on the same pairs in the same batches."""
    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    rows = Dataset.from_list([dict(zip(names, pair, strict=True)) for pair in order])
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    options = DPOConfig(
        **told(OPTIONS, folder),
        per_device_train_batch_size=BATCH,
        beta=BETA,
    )
    trainer = InOrder(
        model=new_llama(tokenizer, TINY, seed=1),
        ref_model=new_llama(tokenizer, TINY, seed=1),
        args=options,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    return losses(trainer)


def main() -> int:
    """Print both losses of each step; 1 if they are apart."""
    tokenizer = tiny_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        mine, run, order = ours(Path(folder, "ours"), tokenizer)
        peer = theirs(Path(folder, "theirs"), tokenizer, run, order)
    return compare(mine, peer, "step")


if __name__ == "__main__":
    sys.exit(main())
