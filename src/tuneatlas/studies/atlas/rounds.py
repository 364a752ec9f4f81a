"""Rounds of reinforcement learning: replies drawn from the model as it is, and updates by them.

The one trainer passes over rows that are planned before it starts. Here these have room for the
replies, and when a pass of a round comes, a hook on the model puts those in their place that were
drawn at the round's beginning. Each round is in a file before its first update: a training that was
cut off within it goes on by the very replies.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import Module
from transformers import PreTrainedModel

from tuneatlas.engine.step import derive_seed
from tuneatlas.engine.files import write_text
from tuneatlas.errors import UserError
from tuneatlas.models.load import embedding_rows, pad_id
from tuneatlas.models.token_files import Example, TokenFile
from tuneatlas.studies.atlas.beside import said_by
from tuneatlas.studies.atlas.drawing import draw
from tuneatlas.studies.atlas.reinforcing import advantages
from tuneatlas.studies.atlas.rewarding import TOGETHER, is_constant, named
from tuneatlas.training.packing import IGNORED, Piece, Row, collate, micro_batches, pack
from tuneatlas.training.recipe import Run
from tuneatlas.training.trainer import micro_steps, newest_checkpoint

log = logging.getLogger(__name__)


class Question(NamedTuple):
    """A prompt as tokens; how replies begin, option by option; and the label."""

    id: str
    prompt: list[int]
    options: list[str]
    label: int

    def room(self, longest: int, filler: int) -> Example:
        """The prompt with room for a reply of so many tokens."""
        tokens = [*self.prompt, *[filler] * longest]
        return Example(tokens, [n >= len(self.prompt) for n in range(len(tokens))])


@dataclass(frozen=True)
class Round:
    """Replies to questions, ``generations`` to each, in a row.

    ``cut``: whether it reached the greatest length without its end;
    ``drawn``: the log-probability of each token when it was drawn, if it is used more than once;
    ``in_row``: how many rounds before this one, and with it, had a constant reward.
    """

    ids: list[str]
    replies: list[list[int]]
    cut: list[bool]
    texts: list[str]
    named: list[int]
    rewards: list[float]
    drawn: list[list[float]]
    in_row: int


def in_rounds(run: Run, generations: int, updates: int) -> Run:
    """The run over questions with a room for each of their replies, and each step so many times."""
    steps = []
    for rows in run.steps:
        rooms = [piece for row in rows for piece in row for _ in range(generations)]
        steps += [pack(rooms, run.recipe.row_length)] * updates
    return replace(run, steps=steps)


class Rounds:
    """The rounds of a run, which go on where its newest checkpoint is."""

    def __init__(
        self,
        run: Run,
        questions: Sequence[Question],
        treatment: Mapping[str, Any],
        section: str,
        patience: int,
    ) -> None:
        """``questions`` in the order of the run's tokens; ``section`` states the ``treatment``.

        ``patience``: rounds in a row that may have a constant reward.
        """
        self.run, self.section, self.patience = run, section, patience
        self.generations, self.updates, self.longest = (
            treatment[name] for name in ("generations", "updates_per_batch", "max_new_tokens")
        )
        self.folder = run.states.with_name("rounds")
        self.questions = dict(zip(run.tokens.offsets.tolist(), questions, strict=False))
        self.passes = micro_steps(run.recipe, run.steps)
        newest = newest_checkpoint(run.states)
        self.begun = int(newest.name.removeprefix("checkpoint-")) if newest else 0
        self.passed = self.begun * self.passes
        self.at = -1
        self.round: Round

    def deal(self, model: PreTrainedModel, stack: ExitStack, *, bf16: bool) -> None:
        """Let each forward pass of ``model`` have its replies, until ``stack`` ends.

        It is told besides ``worth`` and ``drawn``; see `reinforcement_loss`.
        """
        said = said_by(model, stack, bf16=bf16) if self.updates > 1 else None

        def before(_: Module, given: Any, told: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            step, part = divmod(self.passed, self.passes)
            self.passed += 1
            device = told["labels"].device
            if self.at != (number := step // self.updates):
                self.at = number
                self.round = self._round(model, number, device, bf16=bf16)
                if said and not self.round.drawn:
                    self.round = self._with_drawn(model, said, told)
                write_text(self._file(number), json.dumps(vars(self.round)))
                self._refuse_constant(number)
            return given, self._pass(model, told, step, part)

        stack.callback(model.register_forward_pre_hook(before, with_kwargs=True).remove)

    def all(self) -> Iterator[Round]:
        """All rounds of a run that has ended, in their order."""
        for number in range(self.run.length // self.updates):
            yield self._read(number)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:08d}.json"

    def _read(self, number: int) -> Round:
        return Round(**json.loads(self._file(number).read_text(encoding="utf-8")))

    def _asked(self, step: int) -> list[Question]:
        starts = dict.fromkeys(piece.start for row in self.run.steps[step] for piece in row)
        return [self.questions[start] for start in starts]

    def _round(
        self, model: PreTrainedModel, number: int, device: torch.device, *, bf16: bool
    ) -> Round:
        """The replies of a round: drawn now, or as kept, if the run goes on within it."""
        if number * self.updates < self.begun:
            return self._read(number)
        asked = self._asked(number * self.updates)
        replies: list[list[int]] = []
        together = max(1, TOGETHER // self.generations)
        tokenizer = self.run.tokenizer
        twin = _as_its_class_has_it(model)
        with (
            torch.random.fork_rng(),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            torch.manual_seed(derive_seed(self.run.seed, "replies", number))
            for start in range(0, len(asked), together):
                chunk = asked[start : start + together]
                names = [f"question {question.id!r}" for question in chunk]
                prompts = [question.prompt for question in chunk]
                replies += draw(twin, tokenizer, prompts, self.generations, self.longest, names)
        model.train()
        texts = [
            str(
                tokenizer.decode(
                    reply, skip_special_tokens=True, clean_up_tokenization_spaces=False
                )
            ).strip()
            for reply in replies
        ]
        several = [question for question in asked for _ in range(self.generations)]
        which = [named(text, q.options) for text, q in zip(texts, several, strict=True)]
        rewards = [float(n == q.label) for n, q in zip(which, several, strict=True)]
        before = self._read(number - 1).in_row if number else 0
        in_row = before + 1 if is_constant(rewards, self.generations) else 0
        cut = [reply[-1] != tokenizer.eos_token_id for reply in replies]
        return Round([q.id for q in asked], replies, cut, texts, which, rewards, [], in_row)

    def _with_drawn(self, model: PreTrainedModel, said: Any, told: dict[str, Any]) -> Round:
        """The round with the log-probabilities of its tokens under the model as it is."""
        step = self.at * self.updates
        found: dict[int, list[float]] = {}
        for part in range(self.passes):
            passed = self._pass(model, told, step, part)
            labels = passed["labels"]
            with torch.no_grad():
                model.forward(**passed)
                each = said(passed).gather(1, labels[labels != IGNORED][:, None])[:, 0]
            numbers = self._numbers(step, part)
            values = each.split([len(self.round.replies[n]) for n in numbers])
            found |= {n: own.tolist() for n, own in zip(numbers, values, strict=True)}
        return replace(self.round, drawn=[found[n] for n in range(len(found))])

    def _rows(self, step: int) -> list[list[int]]:
        """The numbers of the replies in each row of a step."""
        order = {q.id: place for place, q in enumerate(self._asked(step))}
        seen: Counter[int] = Counter()
        rows: list[list[int]] = []
        for row in self.run.steps[step]:
            rows.append([])
            for piece in row:
                place = order[self.questions[piece.start].id]
                rows[-1].append(place * self.generations + seen[place])
                seen[place] += 1
        return rows

    def _numbers(self, step: int, part: int) -> list[int]:
        return [n for row in self._dealt(step, part) for n in row]

    def _dealt(self, step: int, part: int) -> list[list[int]]:
        """The rows of a forward pass, as the trainer deals them."""
        rows: Any = self._rows(step)
        dealt: Any = list(micro_batches(rows, self.passes))[part]
        return list(dealt)

    def _pass(
        self, model: PreTrainedModel, told: dict[str, Any], step: int, part: int
    ) -> dict[str, Any]:
        """What a forward pass is told, with the replies in the place of their rooms."""
        mine = self._dealt(step, part)
        numbers = [n for row in mine for n in row]
        replies = self.round.replies
        prompts = [q.prompt for q in self._asked(step)]
        whole = {n: prompts[n // self.generations] + replies[n] for n in numbers}
        offsets = [0, *accumulate(map(len, whole.values()))]
        pieces = {n: Piece(at, len(whole[n])) for n, at in zip(whole, offsets, strict=False)}
        marks = [
            place >= len(prompts[n // self.generations])
            for n, tokens in whole.items()
            for place in range(len(tokens))
        ]
        tokens = TokenFile(
            np.array([token for own in whole.values() for token in own], np.uint32),
            np.array(marks, np.uint8),
            np.array(offsets, np.int64),
        )
        placed: list[Row] = [[pieces[n] for n in row] for row in mine]
        pad = pad_id(self.run.tokenizer, embedding_rows(model))
        device = told["labels"].device
        arrays = {
            name: torch.from_numpy(array).to(device)
            for name, array in collate(tokens, placed, pad).items()
        }
        worth = advantages(self.round.rewards, self.generations)
        lengths = torch.tensor([len(replies[n]) for n in numbers], dtype=torch.long)
        more = {"worth": worth[numbers].repeat_interleave(lengths).to(device)}
        if self.round.drawn:
            drawn = [value for n in numbers for value in self.round.drawn[n]]
            more["drawn"] = torch.tensor(drawn, dtype=torch.float32).to(device)
        return {
            **told,
            **arrays,
            **more,
            "shift_labels": arrays["labels"],
            "num_items_in_batch": sum(map(len, replies)),
        }

    def _refuse_constant(self, number: int) -> None:
        """Raise UserError if the reward has been constant for as long as is waited."""
        if self.round.in_row < self.patience:
            return
        share = sum(self.round.rewards) / len(self.round.rewards)
        if not share:
            what = "no reply names the label"
            remedy = "raise generations or max_new_tokens, or name another group "
            remedy += f"({self.section}.of)"
        elif share == 1:
            what, remedy = "every reply names the label", "lower epochs"
        else:
            what = f"{share:.0%} of the replies name the label, for each question all or none"
            remedy = "raise generations, or lower epochs"
        raise UserError(
            f"{self.section}.reward: in {self.round.in_row} batches in a row, up to batch "
            f"{number + 1} of {self.run.length // self.updates}, the replies to each question were "
            f"all rewarded alike: nothing can be learnt from that; in the last one {what}: "
            f"{remedy}, or wait longer (patience)"
        )


def _as_its_class_has_it(model: PreTrainedModel) -> PreTrainedModel:
    """The same network without what training hooks to it, to draw from."""
    twin = copy(model)
    twin.__dict__.pop("forward", None)
    for name in ("_forward_hooks", "_forward_pre_hooks"):
        setattr(twin, name, type(getattr(model, name))())
    twin.eval()
    return twin
