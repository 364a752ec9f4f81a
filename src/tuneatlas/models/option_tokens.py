"""Do the tokens of a question's options tell them apart?"""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from tuneatlas.errors import Refusal
from tuneatlas.models.encode import Text
from tuneatlas.models.prompts import text_of

INSTEAD = "set scoring and question_template of probe_knowledge and evaluate_knowledge to cloze"


def option_problem(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Text,
    options: Sequence[Text],
    coded: Sequence[list[int]],
    *,
    one_token: bool,
) -> str | None:
    """Why the tokens of a question's options do not tell them apart, if they do not.

    ``one_token``: they are letters, each to be one token that the tokenizer knows.
    """
    before = text_of(prompt)[-12:]
    for option, ids in zip(options, coded, strict=True):
        if one_token and (len(ids) != 1 or ids[0] == tokenizer.unk_token_id):
            what = "the unknown token" if len(ids) == 1 else f"{len(ids)} tokens"
            return Refusal(
                f"scoring: letter cannot be used: option {text_of(option)!r} after {before!r} is "
                f"{what}; {INSTEAD}"
            )
    first: dict[tuple[int, ...], Text] = {}
    for option, ids in zip(options, coded, strict=True):
        if (other := first.setdefault(tuple(ids), option)) is not option:
            return Refusal(
                f"options {text_of(other)!r} and {text_of(option)!r} are the same tokens for the "
                f"model's tokenizer, so their scores cannot differ; "
                f"{INSTEAD if one_token else 'change one or leave the question out'}"
            )
    return None
