"""Conversations as training examples: the chat template, the mask, and the end of each reply."""

import math
from collections.abc import Iterable, Iterator

from transformers import PreTrainedTokenizerBase

from tuneatlas.engine.step import Step
from tuneatlas.errors import UserError
from tuneatlas.models.card import beside, jinja_template
from tuneatlas.models.chat_templates import fit_chat
from tuneatlas.models.encode import encode_segments
from tuneatlas.models.prompts import ChatTemplate, render
from tuneatlas.models.save import CHAT_TEMPLATE
from tuneatlas.models.token_files import Example
from tuneatlas.tables import CONVERSATIONS, Row
from tuneatlas.training.recipe import Run, plan_run
from tuneatlas.training.runs import training_section


def plan_conversations(step: Step, tokenizer: PreTrainedTokenizerBase, bos: bool, seed: int) -> Run:
    """Plan a run over the step's conversations; those longer than a row are cut and told of."""
    rows = CONVERSATIONS.read(step.path("conversations"))
    examples = conversation_examples(step, rows, tokenizer, bos)
    return plan_run(
        step.checkpoints,
        examples,
        step.options,
        "cut",
        tokenizer,
        seed,
        section=training_section(step),
        ids=[row["id"] for row in rows],
    )


def chat_beside(step: Step, tokenizer: PreTrainedTokenizerBase, bos: bool) -> dict[str, str]:
    """The card, and the chat template that a model is tuned in if it is not its base's own."""
    chat = ChatTemplate.load(step.path("template"))
    if fit_chat(chat, tokenizer) is not chat:
        return beside(step)
    return beside(step) | {CHAT_TEMPLATE: jinja_template(chat, str(tokenizer.eos_token), bos=bos)}


def conversation_examples(
    step: Step, rows: Iterable[Row], tokenizer: PreTrainedTokenizerBase, bos: bool
) -> Iterator[Example]:
    """Conversations in the step's chat template; the assistant's tokens are trained on."""
    chat = fit_chat(ChatTemplate.load(step.path("template")), tokenizer)
    end = str(tokenizer.eos_token)
    for row in rows:
        if not 0 <= row["weight"] < math.inf:
            raise UserError(
                f"{step.path('conversations')}: conversation {row['id']!r} weighs {row['weight']}; "
                "a weight is a number of at least 0"
            )
        example = encode_segments(tokenizer, render(chat, row["messages"], end), bos)
        refuse_unended(tokenizer, chat, row, example)
        yield example._replace(weight=row["weight"])


def refuse_unended(
    tokenizer: PreTrainedTokenizerBase, chat: ChatTemplate, row: Row, example: Example
) -> None:
    """Raise UserError unless each reply of a conversation has its end token, once, as one token.

    Else the model learns to write the end as text, and never to stop.
    """
    end = str(tokenizer.eos_token) if "{eos}" in chat.end else chat.end.strip()
    if end not in {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}:
        return  # a text of the template's own
    number = tokenizer.convert_tokens_to_ids(end)
    pairs = zip(example.tokens, example.supervised, strict=True)
    found = sum(token == number for token, learnt in pairs if learnt)
    replies = sum(message["role"] == "assistant" for message in row["messages"])
    if found != replies:
        raise UserError(
            f"conversation {row['id']!r} has {replies} replies, but the end token {end!r} is "
            f"learnt {found} times: the tokenizer splits it, or a reply's own text holds it"
        )
