"""Can a model be asked and tuned as the config says? Told from its tokenizer.

Asked before the first job of models that are at hand, and of all others once they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from tuneatlas.errors import Refusal, UserError
from tuneatlas.models.chat_templates import fit_chat, refuse_unusable
from tuneatlas.models.encode import Text, coder_of, encode_alone, encode_pairs
from tuneatlas.models.option_tokens import option_problem
from tuneatlas.models.prompts import (
    ChatTemplate,
    QuestionTemplate,
    chat_continuations,
    chat_prompt,
    continuations,
    few_shot_prompt,
)

TEMPLATES = Path("config/templates")
# Any question: what stands before its letters is the template's.
QUESTION = {"question": "Which one?", "choices": ["one", "two", "three", "four"], "topic": "any"}

Found = Iterator[tuple[tuple[str, ...], str]]


def tokenizer_problems(
    model: str,
    tokenizer: PreTrainedTokenizerBase,
    asking: Mapping[str, Mapping[str, Any]],
    *,
    bos: bool,
    root: Path = Path(),
) -> Found:
    """What keeps a model from being asked and tuned, each with the key of the config to change.

    Args:
        model: its name in the config.
        tokenizer: its tokenizer.
        asking: ``engine.operations.asking`` of the config.
        bos: whether prompts begin with the begin token.
        root: the project's folder, under which templates lie.
    """
    if tokenizer.eos_token_id is None:
        yield (
            ("models", model),
            Refusal("its tokenizer has no end token, so replies would never end"),
        )
    if not tokenizer.is_fast:
        yield (
            ("models", model),
            Refusal(
                f"its tokenizer, a {type(tokenizer).__name__}, has no fast form (tokenizer.json), "
                "which says where in a text each token begins: save it with one"
            ),
        )
        return
    if bos and tokenizer.bos_token_id is None:
        yield ("models", model, "bos"), Refusal("its tokenizer has no begin token: say bos: false")
    for section, options in asking.items():
        chat = None
        if _begins(options.get("bos")) and tokenizer.bos_token_id is None:
            lacking = Refusal(f"models.{model}: its tokenizer has no begin token: say false")
            yield (section, "bos"), lacking
        if options.get("chat"):
            try:
                refuse_unusable(tokenizer)
            except UserError as error:
                yield (section, "chat"), Refusal(f"models.{model}: {error}")
        if "chat_template" in options:
            file = root / TEMPLATES / "chat" / f"{options['chat_template']}.yaml"
            try:
                chat = fit_chat(ChatTemplate.load(file), tokenizer)
            except UserError as error:
                yield (section, "chat_template"), Refusal(f"models.{model}: {error}")
                continue
        if "question_template" in options:
            file = root / TEMPLATES / "questions" / f"{options['question_template']}.yaml"
            template = QuestionTemplate.load(file)
            if marker := _marker(tokenizer, template):
                yield (
                    (section, "question_template"),
                    Refusal(
                        f"{file} holds {marker!r}, a special token of models.{model}, but all that "
                        "it holds is put to the model as text: put the marker into a chat template"
                    ),
                )
            if options.get("scoring") == "letter":
                alone = options.get("option_tokens") == "alone"
                for text in _letters(model, tokenizer, template, chat, alone=alone):
                    yield (section, "scoring"), text


def _begins(said: Any) -> bool:
    """Whether a section asks for a begin token of its own, for one role at least."""
    return any(said.values()) if isinstance(said, Mapping) else bool(said)


def overlong_question(
    tokenizer: PreTrainedTokenizerBase,
    limit: int,
    questions: Sequence[Mapping[str, Any]],
    asking: Mapping[str, Mapping[str, Any]],
    root: Path = Path(),
) -> str | None:
    """What is wrong with the first question that no prompt of the model can hold, if there is one.

    It is asked alone here, without the demonstrations that a probe may show before it.
    """
    for section, options in asking.items():
        if "question_template" not in options:
            continue
        file = root / TEMPLATES / "questions" / f"{options['question_template']}.yaml"
        template = QuestionTemplate.load(file)
        coder = coder_of(tokenizer)
        for question in questions:
            longest = max(continuations(template, question), key=len)
            size = len(coder.encode(few_shot_prompt(template, [], question) + longest))
            if size > limit:
                return Refusal(
                    f"question {question['id']!r} is {size} tokens long in {section}, more than "
                    f"the model's {limit} positions: shorten it or leave it out"
                )
    return None


def _marker(tokenizer: PreTrainedTokenizerBase, template: QuestionTemplate) -> str | None:
    """A special token in the text of a question template; the end of lines is none."""
    text = "\n".join(filter(None, vars(template).values()))
    found = (token for token in coder_of(tokenizer).special if len(token) > 1 and token in text)
    return next(found, None)


def _letters(
    model: str,
    tokenizer: PreTrainedTokenizerBase,
    template: QuestionTemplate,
    chat: ChatTemplate | None,
    *,
    alone: bool,
) -> Iterator[str]:
    """Why letters cannot be scored, as they stand in the prompt, if they cannot."""
    prompt: Text
    options: Sequence[Text]
    if chat is None:
        prompt, options = few_shot_prompt(template, [], QUESTION), continuations(template, QUESTION)
    else:
        prompt = chat_prompt(chat, template, QUESTION, lead=alone)
        options = chat_continuations(chat, template, QUESTION)
    if alone:
        options = continuations(template, QUESTION)
    encoder = encode_alone if alone else encode_pairs
    coded = encoder(tokenizer, [(prompt, option) for option in options], False)
    ids = [after for _, after in coded]
    if problem := option_problem(tokenizer, prompt, options, ids, one_token=True):
        yield Refusal(f"models.{model}: {problem}")
