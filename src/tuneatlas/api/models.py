"""Questions put to any ``transformers`` model in memory, and the groups that they fall into."""

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tuneatlas.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
    from tuneatlas.tables import Row

    Questions = str | Path | pd.DataFrame | Iterable[Mapping[str, Any]]

# config/templates/questions, for a package that is installed alone: what is tested to be the same.
LETTER: dict[str, str] = {
    "header": (
        "The following are multiple choice questions about {domain}. "
        "Please choose the correct answer.\n\n"
    ),
    "option": "{letter}. {text}\n",
    "question": "{question}\n{options}Answer:",
    "demonstration": " {letter}. {text}\n\n",
    "scored": " {letter}",
    "instruction": "{question}\n{options}",
    "reply": "{letter}. {text}\n{explanation}",
}
CLOZE: dict[str, str] = {
    "header": "",
    "option": "",
    "question": "{question}\nAnswer:",
    "demonstration": " {text}\n\n",
    "scored": " {text}",
    "instruction": "{question}",
    "reply": "{text}\n{explanation}",
}
BUILT_IN = {"letter": LETTER, "cloze": CLOZE}
Scoring = Literal["letter", "cloze", "cloze_normalised"]


def probe(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    questions: "Questions",
    *,
    shots: int = 5,
    scoring: Scoring = "letter",
    template: "str | Path | QuestionTemplate | None" = None,
    draws: int = 1,
    rotations: int = 1,
    bos: bool | None = None,
    seed: int = 42,
    batch_tokens: int = 16384,
) -> "pd.DataFrame":
    """Ask a model what it knows, few-shot, as step probe_knowledge asks base models.

    Args:
        model: a causal language model of transformers, wherever it is; it is not changed.
        tokenizer: its tokenizer, with a fast form.
        questions: a file (.jsonl, .csv), a table, or mappings with ``question``, ``choices`` and
            ``answer`` (the place of the right one from 0); the rest has defaults, see
            docs/questions.md. Those with ``split`` of ``dev`` are shown as demonstrations, all
            others are asked.
        shots: demonstrations before each question.
        scoring: ``letter``: the probability of the option's letter; ``cloze``: the log-likelihood
            of its text; ``cloze_normalised``: the same per token.
        template: how a question is put: a file as in config/templates/questions, or one in memory
            (default: that of ``scoring``).
        draws, rotations: ask each question with so many draws of demonstrations, and with its
            options in so many orders: ``category`` says then how sure the knowledge is.
        bos: whether prompts begin with the begin token (default: if the tokenizer has one).
        seed: of the draws of demonstrations.
        batch_tokens: tokens in a forward pass; changes results by rounding alone.

    Returns:
        A row per question asked: ``id``, ``answer``, ``pred``, ``correct``, ``scores`` (nats, per
        option), ``probs``, ``gold_prob``, ``pred_prob``, ``prompt`` …, and ``right_share``,
        ``agreement``, ``category`` over the ways of asking (docs/results.md: answers, knowledge).

    Raises:
        UserError: naming the question that is unsound or does not fit, or what the tokenizer
            lacks.

    Source:
        Ren et al. 2024 (probing); categories: Gekhman et al. 2024.

    Example:
        >>> questions = [
        ...     {"question": "Which number follows 4?", "choices": ["5", "9"], "answer": 0},
        ...     {"question": "Which number follows 7?", "choices": ["3", "8"], "answer": 1},
        ... ]
        >>> answers = probe(model, tokenizer, questions, shots=0, scoring="cloze")
        >>> answers[["answer", "pred", "correct"]].shape
        (2, 3)
        >>> [round(sum(probs), 6) for probs in answers["probs"]]
        [1.0, 1.0]
    """
    from tuneatlas.studies.knowledge.probe import probe_model

    rows = _questions(questions)
    shown = sum(row["split"] == "dev" for row in rows)
    if shots > shown:
        raise UserError(
            f"shots={shots}, but {shown} of {len(rows)} questions have the split 'dev': give "
            "more of them, or lower shots (0: none is shown)"
        )
    options = {
        **_asking(scoring, batch_tokens),
        "shots": shots,
        "demonstration_seed": seed,
        "draws": draws,
        "rotations": rotations,
    }
    with _asked(model) as ready:
        found = probe_model(
            ready,
            tokenizer,
            rows,
            _template(template, scoring),
            options,
            bos=_begins(tokenizer, bos),
        )
    return _frame(found.answers, found.knowledge)


def evaluate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    questions: "Questions",
    *,
    chat: "str | Path | ChatTemplate | None" = None,
    scoring: Scoring = "letter",
    template: "str | Path | QuestionTemplate | None" = None,
    bos: bool | None = None,
    batch_tokens: int = 16384,
) -> "pd.DataFrame":
    """Ask a tuned model in a chat, zero-shot, as step evaluate_knowledge asks tuned models.

    Args:
        model, tokenizer, questions, scoring, template, bos, batch_tokens: as in `probe`. Questions
            with ``split`` of ``dev`` are left out.
        chat: how a conversation is laid out: a file as in config/templates/chat, or one in memory
            (default: the tokenizer's own chat template).

    Returns:
        A row per question, with the columns of the answers of `probe`.

    Raises:
        UserError: as `probe`; or the tokenizer has no chat template, or one that cannot be taken
            apart.

    Example:
        >>> from tuneatlas.models.prompts import ChatTemplate
        >>> chat = ChatTemplate("", "USER: {content} ", "ASSISTANT:", " {content}", "{eos}", "")
        >>> asked = [{"question": "Which follows 4?", "choices": ["5", "9"], "answer": 0}]
        >>> evaluate(model, tokenizer, asked, chat=chat, scoring="cloze")["prompt"].item()
        'USER: Which follows 4? ASSISTANT:'
    """
    from tuneatlas.models.chat_templates import own_chat
    from tuneatlas.models.prompts import ChatTemplate
    from tuneatlas.studies.knowledge.evaluate import ask_tuned

    rows = [{**row, "split": "test"} for row in _questions(questions) if row["split"] != "dev"]
    layout = ChatTemplate.load(Path(chat)) if isinstance(chat, str | Path) else chat
    with _asked(model) as ready:
        found = ask_tuned(
            ready,
            tokenizer,
            rows,
            _template(template, scoring),
            layout or own_chat(tokenizer),
            _asking(scoring, batch_tokens),
            bos=_begins(tokenizer, bos),
        )
    return _frame(found)


def label(
    answers: "pd.DataFrame",
    *,
    size: Literal["match", "all"] = "match",
    min_confidence: float = 0.0,
    seed: int = 42,
) -> "pd.DataFrame":
    """Split probed questions by whether the model agrees with the right answer.

    Args:
        answers: a table of `probe`, or of a run's probe_knowledge.
        size: ``match``: HARMONIOUS is sampled down to the size of the others; ``all``: it is not.
        min_confidence: questions whose answer has no more probability than this are in no group.
        seed: of the sample.

    Returns:
        ``id``, ``group`` (harmonious: right, trained on the right option; incompatible: wrong,
        trained on the right option; self_aligning: the same questions, trained on the model's own
        wrong one), ``label`` (the option trained on), ``answer``, ``pred``, ``correct``.

    Source:
        Ren et al. 2024, section 3.2.

    Example:
        >>> import pandas as pd
        >>> answers = pd.DataFrame(
        ...     {"id": ["a", "b"], "answer": [0, 1], "pred": [0, 0], "correct": [True, False],
        ...      "pred_prob": [0.9, 0.6]})
        >>> label(answers)[["id", "group", "label"]].values.tolist()
        [['a', 'harmonious', 0], ['b', 'incompatible', 1], ['b', 'self_aligning', 0]]
    """
    import pandas as pd

    from tuneatlas.studies.knowledge.label import label_questions

    needed = ("id", "answer", "pred", "correct", "pred_prob")
    if missing := [name for name in needed if name not in answers.columns]:
        raise UserError(f"answers lack column {missing[0]!r}: give a table of probe")
    rows: list[Any] = answers[list(needed)].to_dict("records")
    found = label_questions(
        rows,
        harmonious_size=size,
        rng=random.Random(seed),
        min_confidence=min_confidence,
        seed=seed,
    )
    return pd.DataFrame(found, columns=["id", "group", "label", "answer", "pred", "correct"])


def _questions(questions: "Questions") -> "list[Row]":
    """Rows of table QUESTIONS; UserError names the first that is unsound."""
    from tuneatlas.data.questions import question_rows, read_questions

    if isinstance(questions, str | Path):
        path = Path(questions)
        return read_questions(path, path.name.split(".")[0]).rows
    rows = questions.to_dict("records") if hasattr(questions, "to_dict") else questions
    return question_rows([_plain(row) for row in rows])


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of pandas in Python's own types; what is missing there is no value."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        plain = value.tolist() if hasattr(value, "tolist") else value
        if plain is not None and plain == plain:
            found[str(name)] = plain
    return found


def _template(given: "str | Path | QuestionTemplate | None", scoring: str) -> "QuestionTemplate":
    from tuneatlas.models.prompts import QuestionTemplate

    if given is None:
        return QuestionTemplate(**BUILT_IN["letter" if scoring == "letter" else "cloze"])
    return QuestionTemplate.load(Path(given)) if isinstance(given, str | Path) else given


def _begins(tokenizer: "PreTrainedTokenizerBase", bos: bool | None) -> bool:
    """Whether prompts begin with the begin token: where there is one, if nothing is said."""
    return tokenizer.bos_token_id is not None if bos is None else bos


def _asking(scoring: str, batch_tokens: int) -> dict[str, Any]:
    """Settings of a question, those of the paper."""
    if scoring not in ("letter", "cloze", "cloze_normalised"):
        raise UserError(f"scoring={scoring!r}: it is letter, cloze or cloze_normalised")
    return {
        "scoring": scoring,
        "option_tokens": "joined",
        "logits": "single",
        "ties": "wrong",
        "batch_tokens": batch_tokens,
    }


@contextmanager
def _asked(model: "PreTrainedModel") -> "Iterator[PreTrainedModel]":
    """The model without dropout, and afterwards as it was."""
    was = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was)


def _frame(answers: "list[Row]", knowledge: "list[Row] | None" = None) -> "pd.DataFrame":
    import pandas as pd

    found = pd.DataFrame(answers)
    if knowledge:
        more = pd.DataFrame(knowledge)[["ways", "right_share", "agreement", "category"]]
        found = pd.concat([found, more], axis=1)
    return found
