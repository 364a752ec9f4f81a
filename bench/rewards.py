"""Reinforcement learning beside TRL's: python -m bench.rewards.

In the environment of the peers (envs/bench.txt). A tiny model is tuned by our trainer for 20
updates, two by each batch of its own replies, which are rewarded if their length is even, and by
TRL's GRPOTrainer on the very replies and rewards. On our side a batch takes several forward passes.
Losses are printed; the exit status says whether they are within 1e-4 of each other.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.trl_losses import STEPS, compare, losses, recipe, told  # noqa: E402
from tests.examples import TINY, tiny_tokenizer  # noqa: E402
from tuneatlas.config.models.treatments import Treatment  # noqa: E402
from tuneatlas.models.build import new_llama  # noqa: E402
from tuneatlas.models.save import save_model  # noqa: E402
from tuneatlas.studies.atlas import rounds as replying  # noqa: E402
from tuneatlas.studies.atlas.reinforce import rewarded  # noqa: E402
from tuneatlas.studies.atlas.rounds import Question, Round, Rounds, in_rounds  # noqa: E402
from tuneatlas.training.processes import train  # noqa: E402
from tuneatlas.training.recipe import plan_run  # noqa: E402

BATCH, UPDATES, GENERATIONS, LONGEST = 4, 2, 8, 24
RATE, BETA, CLIP = 2e-3, 0.04, 0.2
OPTIONS = recipe(batch=BATCH, rows_per_device=4, learning_rate=RATE)
TREATMENT = Treatment(
    of="harmonious",
    reward="answer",
    beta=BETA,
    clip=CLIP,
    generations=GENERATIONS,
    max_new_tokens=LONGEST,
    updates_per_batch=UPDATES,
).model_dump()


def ours(folder: Path, tokenizer: Any) -> tuple[list[float], list[Round], dict[str, list[int]]]:
    """Our losses, the rounds, and the prompts of their questions."""
    texts = [
        f"Which number follows {n}?" + " Say." * (n % 3) for n in range(STEPS // UPDATES * BATCH)
    ]
    asked = [
        Question(text, tokenizer(text)["input_ids"], ["even", "odd"], label=0) for text in texts
    ]
    rooms = [question.room(LONGEST, int(tokenizer.eos_token_id)) for question in asked]
    run = in_rounds(plan_run(folder, rooms, OPTIONS, "cut", tokenizer, 1), GENERATIONS, UPDATES)
    rounds = Rounds(run, asked, TREATMENT, "treatments.grpo", patience=STEPS)
    model = new_llama(tokenizer, TINY, seed=1)
    by_length = patch.object(replying, "named", lambda text, options: len(text) % 2)
    with by_length, rewarded(model, rounds, TREATMENT):
        losses = [entry["loss"] for entry in train(model, run)]
    return losses, list(rounds.all()), {question.id: question.prompt for question in asked}


class Replied(GRPOTrainer):
    """TRL's trainer, for which the replies are there already; each says its reward."""

    replies: Iterator[tuple[list[int], float]]
    prompts: dict[str, list[int]]

    def _generate(self, prompts: Any) -> Any:
        told = [next(self.replies) for _ in prompts]
        ids = [reply for reply, _ in told]
        rewards = [str(reward) for _, reward in told]
        return [self.prompts[p] for p in prompts], ids, None, rewards, None, {}, None, []


def said_reward(completions: list[str], **_: Any) -> list[float]:
    """The reward that a completion says."""
    return [float(text) for text in completions]


def theirs(
    folder: Path, tokenizer: Any, rounds: list[Round], prompts: dict[str, list[int]]
) -> list[float]:
    """TRL's losses on the same replies in the same batches."""
    save_model(folder / "base", new_llama(tokenizer, TINY, seed=1), tokenizer)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    options = GRPOConfig(
        **told(OPTIONS, folder),
        model_init_kwargs={"dtype": "float32"},
        per_device_train_batch_size=BATCH * GENERATIONS,
        num_generations=GENERATIONS,
        num_iterations=UPDATES,
        max_completion_length=LONGEST,
        beta=BETA,
        epsilon=CLIP,
        shuffle_dataset=False,
    )
    trainer = Replied(
        model=str(folder / "base"),
        reward_funcs=said_reward,
        args=options,
        train_dataset=Dataset.from_list([{"prompt": name} for own in rounds for name in own.ids]),
        processing_class=tokenizer,
    )
    trainer.prompts = prompts
    trainer.replies = (
        pair for own in rounds for pair in zip(own.replies, own.rewards, strict=True)
    )
    trainer.train()
    return losses(trainer)


def main() -> int:
    """Print both losses of each update; 1 if they are apart."""
    torch.set_num_threads(1)
    tokenizer = tiny_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        mine, rounds, prompts = ours(Path(folder, "ours"), tokenizer)
        peer = theirs(Path(folder, "theirs"), tokenizer, rounds, prompts)
    shares = [sum(own.rewards) / len(own.rewards) for own in rounds]
    print(f"rewarded: {shares[0]:.0%} at first, {shares[-1]:.0%} at last")
    return compare(mine, peer, "update")


if __name__ == "__main__":
    sys.exit(main())
