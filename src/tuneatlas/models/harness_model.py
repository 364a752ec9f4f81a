"""The model class of lm-evaluation-harness, by the rules that hold for every number here.

It cuts long prompts from the left, takes scores that are no numbers for least ones, asks templates
for the date, and generates as the model's folder says. Here these are refused, or left out.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import LogitsProcessorList

from tuneatlas.errors import UserError
from tuneatlas.models.chat_rendering import clockless
from tuneatlas.models.chat_templates import own_template, refuse_unusable
from tuneatlas.models.encode import encode
from tuneatlas.models.generation import Finite, set_generation
from tuneatlas.models.not_numbers import not_numbers


class HarnessModel(HFLM):  # type: ignore[misc]
    """A model that refuses what its library would go on with."""

    _names: Sequence[str] = ()
    _chat = False

    def go_by_config(self, *, chat: bool) -> None:
        """Take no settings of the model's folder; refuse a chat template that cannot be used."""
        set_generation(self.model, self.tokenizer)
        self._chat = chat
        if chat:
            try:
                refuse_unusable(self.tokenizer)
            except UserError as error:
                raise UserError(f"evaluate_harness.chat: {error}") from error
            self.tokenizer.chat_template = clockless(own_template(self.tokenizer))

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Without the begin token, of which ``models.NAME.bos`` says whether there is one."""
        text = super().apply_chat_template(chat_history, add_generation_prompt)
        return str(text).removeprefix(str(self.tokenizer.bos_token or ""))

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **kwargs: Any
    ) -> list[int]:
        """Ids of a text, in which ``<s>`` is no begin token but in a chat, whose template has some.

        ``add_special_tokens``: whether it begins with the begin token; None: as the config says.
        """
        if self._chat:
            found: list[int] = super().tok_encode(string, add_special_tokens, **kwargs)
            return found
        bos = self.add_bos_token if add_special_tokens is None else add_special_tokens
        return encode(self.tokenizer, string, bool(bos))

    def tok_batch_encode(
        self, strings: list[str], padding_side: str = "left", **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask of texts, as ``tok_encode`` has them, each of shape (texts, longest)."""
        if self._chat:
            both: tuple[torch.Tensor, torch.Tensor] = super().tok_batch_encode(
                strings, padding_side, **kwargs
            )
            return both
        # The longest is within the model's positions: `generate_until` has seen to that.
        rows = [self.tok_encode(string) for string in strings]
        padded = self.tokenizer.pad({"input_ids": rows}, padding_side="left", return_tensors="pt")
        return padded["input_ids"], padded["attention_mask"]

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Scores of continuations; UserError names the item of one that is none."""
        self._names = list(map(_name, requests))
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm)
        self._names = ()
        return found

    def _loglikelihood_tokens(
        self, requests: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[tuple[float, bool]]:
        names = self._names or ["a text of a task"] * len(requests)
        for name, (_, context, continuation) in zip(names, requests, strict=True):
            # The last token is never fed.
            self._refuse_long(name, len(context) + len(continuation) - 1)
        found: list[tuple[float, bool]] = super()._loglikelihood_tokens(requests, *args, **kwargs)
        for name, (score, _) in zip(names, found, strict=True):
            if not math.isfinite(score):
                raise UserError(
                    f"evaluate_harness: {name}: the model's score is {score}, "
                    f"{not_numbers(self.model.dtype)}"
                )
        return found

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Texts by the task's own settings; UserError names the item whose prompt is too long."""
        for request in requests:
            prompt, settings = request.args
            more = settings.get("max_gen_toks", self.max_gen_toks)
            self._refuse_long(_name(request), len(self.tok_encode(prompt)) + int(more))
        found: list[str] = super().generate_until(requests, disable_tqdm)
        return found

    def _model_generate(self, context: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        watch = LogitsProcessorList(
            [Finite(["evaluate_harness: a prompt of a task"], self.model.dtype)]
        )
        written: torch.Tensor = super()._model_generate(
            context, *args, **kwargs, logits_processor=watch
        )
        return written

    def _refuse_long(self, name: str, size: int) -> None:
        if size > self.max_length:
            raise UserError(
                f"evaluate_harness: {name}: {size} tokens do not fit the model's "
                f"{self.max_length} positions; lower evaluate_harness.shots where the task is "
                "shown some, leave the task out, or use a model with more"
            )


def _name(request: Instance) -> str:
    return f"task {request.task_name}, item {request.doc_id}"
