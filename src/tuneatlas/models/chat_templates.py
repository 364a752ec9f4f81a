"""A model's own chat template, taken apart into the pieces that ours consist of.

A tokenizer states its template as a program that lays out whole conversations. Training needs
to know which of the text is the assistant's, so the program is run on a conversation of marker
words and its text cut at them.
"""

import re
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.chat_rendering import INSTEAD, Asked, lay_out
from tuneatlas.models.prompts import ChatTemplate, escaped

OWN = "{own}"
FIRST, REPLY, SECOND, LAST = "wordone", "wordtwo", "wordthree", "wordfour"


def fit_chat(chat: ChatTemplate, tokenizer: PreTrainedTokenizerBase) -> ChatTemplate:
    """``chat``, or the tokenizer's own template where ``chat`` stands for it (``own.yaml``)."""
    return own_chat(tokenizer) if chat.user == OWN else chat


def own_chat(tokenizer: PreTrainedTokenizerBase) -> ChatTemplate:
    """The tokenizer's own template in pieces; its begin token is left to the option ``bos``.

    UserError if there is none, or if it cannot be trained on as it is: replies without an end
    token, later turns laid out unlike the first, a prompt that no conversation begins with.
    """
    roles = ("user", "assistant", "user", "assistant")
    words = (FIRST, REPLY, SECOND, LAST)
    turns = [{"role": role, "content": word} for role, word in zip(roles, words, strict=True)]
    text, asked = laid_out(tokenizer, [(turns, False), (turns[:1], True)])
    parts = re.split("|".join(words), text)
    if len(parts) != 5:
        raise UserError(
            f"the model's chat template does not show every message once: {text!r}; {INSTEAD}"
        )
    head, answer, between, again, tail = parts
    end = re.match(_end_pattern(tokenizer), tail)
    if end is None:
        raise UserError(
            "the model's chat template drops the end token after the assistant's reply (it ends in "
            f"{tail!r}), so a model tuned with it never learns to stop; {INSTEAD}"
        )
    after, question = tail[end.end() :], between[len(tail) :]
    begin = str(tokenizer.bos_token or "")
    if begin and question.startswith(begin) and not head.endswith(question):
        # Llama 2 begins each pair of turns anew.
        after, question = after + begin, question.removeprefix(begin)
    if not between.startswith(tail) or not head.endswith(question) or again != answer:
        raise UserError(
            f"the model's chat template lays out later turns unlike the first: {text!r}; {INSTEAD}"
        )
    # Llama 2 leaves the space before a reply to the model.
    lead = answer[len(asked) - len(head + FIRST) :]
    if asked + lead != head + FIRST + answer or lead.strip():
        raise UserError(
            "the model's chat template asks for a reply with a text that no conversation in it "
            f"has: {asked!r}; {INSTEAD}"
        )
    return ChatTemplate(
        system=head.removesuffix(question),
        user=f"{escaped(question)}{{content}}{escaped(answer.removesuffix(lead))}",
        assistant_start="",
        assistant=f"{lead}{{content}}",
        end=end.group(),
        after=after,
    )


def _end_pattern(tokenizer: PreTrainedTokenizerBase) -> str:
    """A special token, after spaces if need be."""
    tokens = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    return rf"\s*(?:{'|'.join(re.escape(t) for t in sorted(tokens, key=len, reverse=True))})"


def laid_out(
    tokenizer: PreTrainedTokenizerBase, asked: Sequence[Asked], instead: str = INSTEAD
) -> list[str]:
    """Conversations by the tokenizer's own template, without the begin token in front."""
    begin = str(tokenizer.bos_token or "")
    texts = lay_out(own_template(tokenizer, instead), tokenizer.special_tokens_map, asked, instead)
    return [text.removeprefix(begin) for text in texts]


def refuse_unusable(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise UserError if the harness cannot ask in the tokenizer's own template."""
    hello = [{"role": "user", "content": FIRST}]
    laid_out(tokenizer, [(hello, True)], "set evaluate_harness.chat to false")


def own_template(tokenizer: PreTrainedTokenizerBase, instead: str = INSTEAD) -> str:
    """The template by which a tokenizer lays out plain conversations; UserError if it has none."""
    templates = tokenizer.chat_template
    template = templates.get("default") if isinstance(templates, dict) else templates
    if not template:
        raise UserError(f"the model's tokenizer has no chat template of its own; {instead}")
    return str(template)
