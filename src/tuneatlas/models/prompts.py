"""The one prompt builder: question prompts, chat prompts and the marks of what is trained on.

Templates are YAML files under ``config/templates``; what differs between probing,
explaining, tuning and evaluating is a template, never code.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import takewhile
from pathlib import Path
from string import Formatter, ascii_uppercase
from typing import Any, ClassVar, NamedTuple, TypeVar

from tuneatlas.data.text_files import read_yaml
from tuneatlas.errors import Refusal, UserError

Question = Mapping[str, Any]
T = TypeVar("T", bound="Template")


@dataclass(frozen=True)
class Template:
    """A template file: all its keys are texts, none may be unknown, nor missing without a default.

    ``FORMS``: what may stand in braces in a key's text, by key; of the first of them one at least
    must. The other keys are texts as they are.
    """

    FORMS: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @classmethod
    def load(cls: type[T], path: Path) -> T:
        """Read a template; UserError names the file and the key that is wrong."""
        values = read_yaml(path, "template")
        expected = {f.name for f in fields(cls)}
        if not isinstance(values, dict):
            raise UserError(f"{path}: a template has the keys {sorted(expected)}")
        needed = {f.name for f in fields(cls) if f.default is MISSING}
        if not needed <= set(values) <= expected:
            wrong = sorted(map(str, (set(values) - expected) | (needed - set(values))))
            raise UserError(f"{path}: template keys must be {sorted(expected)}; differs in {wrong}")
        for key, value in values.items():
            if not isinstance(value, str):
                raise UserError(f"{path}: {key}: {value!r} is not text: put it in quotes")
            if key in cls.FORMS and (said := _unfillable(value, *cls.FORMS[key])):
                raise UserError(f"{path}: {key}: {value!r} {said}")
        return cls(**values)


def _unfillable(form: str, needed: str, more: str) -> str:
    """Why a text with fields in braces cannot be filled in; empty if it can."""
    try:
        pieces = list(Formatter().parse(form))
    except ValueError as error:
        return Refusal(f"cannot be filled in ({error}): a brace as text is written twice")
    known = [*needed.split(), *more.split()]
    found = [(name, spec, how) for _, name, spec, how in pieces if name is not None]
    for name, spec, how in found:
        if name not in known or spec or how:
            shown = ", ".join(f"{{{word}}}" for word in known) or "nothing"
            return Refusal(
                f"has {{{name}}}: what is filled in here is {shown}; other braces stand twice"
            )
    if needed and not any(name in needed.split() for name, _, _ in found):
        return Refusal(f"lacks {{{needed.split()[0]}}}, so that all would read alike: put it there")
    return ""


@dataclass(frozen=True)
class QuestionTemplate(Template):
    """How a question is put to a model, and which continuation of it is scored.

    ``related_header``: the header of questions of role related, if they have one of their own.
    """

    FORMS: ClassVar[Mapping[str, tuple[str, str]]] = {
        "header": ("", "domain"),
        "related_header": ("", "domain"),
        "option": ("", "letter text"),
        "question": ("question", "options"),
        "demonstration": ("text letter", ""),
        "scored": ("text letter", ""),
        "instruction": ("question", "options"),
        "reply": ("text letter", "explanation"),
    }

    header: str
    option: str
    question: str
    demonstration: str
    scored: str
    instruction: str
    reply: str
    related_header: str | None = None


@dataclass(frozen=True)
class ChatTemplate(Template):
    """How a conversation is laid out; ``assistant`` and ``end`` are trained on.

    ``{eos}`` in ``end`` is the tokenizer's end token; ``{own}`` stands for the tokenizer's own.
    """

    FORMS: ClassVar[Mapping[str, tuple[str, str]]] = {
        "user": ("content own", ""),
        "assistant": ("content", ""),
    }

    system: str
    user: str
    assistant_start: str
    assistant: str
    end: str
    after: str

    @property
    def lead(self) -> str:
        """What stands before the content of a reply and is the assistant's own text."""
        pieces = takewhile(lambda piece: piece[1], _filled(self.assistant, ""))
        return "".join(text for text, _ in pieces)


@dataclass(frozen=True)
class ExplainTemplate(Template):
    """How a base model is asked to explain an answer, and the fence that closes it.

    ``option`` is how each option is shown where ``{options}`` stands; ``opening``, what the model
    itself writes before its explanation, if the query does not end in it.
    """

    FORMS: ClassVar[Mapping[str, tuple[str, str]]] = {
        "option": ("", "letter text"),
        "demonstration": ("question", "text letter options explanation"),
        "query": ("question", "text letter options"),
    }

    header: str
    demonstration: str
    query: str
    fence: str
    option: str = ""
    opening: str = ""


def escaped(text: str) -> str:
    """Text as it stands in a form: its braces twice."""
    return text.replace("{", "{{").replace("}", "}}")


def option_fields(question: Question, index: int) -> dict[str, str]:
    """The fields ``letter`` and ``text`` of option ``index``."""
    return {"letter": ascii_uppercase[index], "text": question["choices"][index]}


def options_text(form: str, question: Question) -> str:
    """The options of a question, each by ``form``."""
    count = len(question["choices"])
    return "".join(form.format(**option_fields(question, i)) for i in range(count))


def question_text(template: QuestionTemplate, question: Question, form: str) -> str:
    """``form`` (the template's ``question`` or ``instruction``) filled in."""
    options = options_text(template.option, question)
    return form.format(question=question["question"], options=options)


def few_shot_prompt(
    template: QuestionTemplate, demonstrations: Sequence[Question], question: Question
) -> str:
    """The prompt of a base model: header, answered demonstrations, the question."""
    return few_shot_head(template, demonstrations, question) + question_text(
        template, question, template.question
    )


def few_shot_head(
    template: QuestionTemplate, demonstrations: Sequence[Question], question: Question
) -> str:
    """What stands before the question: the same for all of its topic and demonstrations."""
    shown = "".join(
        question_text(template, d, template.question)
        + template.demonstration.format(**option_fields(d, d["answer"]))
        for d in demonstrations
    )
    return _header(template, question) + shown


def _header(template: QuestionTemplate, question: Question) -> str:
    header = template.header
    if template.related_header is not None and question.get("role") == "related":
        header = template.related_header
    return header.format(domain=question["topic"].replace("_", " "))


def chat_prompt(
    chat: ChatTemplate, template: QuestionTemplate, question: Question, *, lead: bool = False
) -> "Segment":
    """The prompt of a tuned model: the question as a first user message, zero-shot.

    ``lead``: with what stands before the content of the reply, such as a space.
    """
    prompt = render(chat, [{"role": "user", "content": user_text(template, question)}], "")[0]
    if not lead or not chat.lead:
        return prompt
    own = (len(prompt.text), len(prompt.text) + len(chat.lead))
    return Segment(prompt.text + chat.lead, False, (*prompt.template, own))


def user_text(template: QuestionTemplate, question: Question) -> str:
    """What the user says to ask ``question``."""
    return (
        _header(template, question) + question_text(template, question, template.instruction)
    ).strip()


def reply_text(template: QuestionTemplate, question: Question, label: int, explanation: str) -> str:
    """What the assistant is trained to say when the label is option ``label``."""
    filled = template.reply.format(**option_fields(question, label), explanation=explanation)
    return filled.strip()


def continuations(template: QuestionTemplate, question: Question) -> list[str]:
    """The text scored for each option."""
    return [
        template.scored.format(**option_fields(question, i))
        for i in range(len(question["choices"]))
    ]


def chat_continuations(
    chat: ChatTemplate, template: QuestionTemplate, question: Question
) -> list["Segment"]:
    """The text scored for each option of a tuned model: as its replies begin in training.

    The option's own text is that of ``continuations``; blanks around it are the template's.
    """
    scored = replace(template, scored=template.scored.strip())
    return [
        _segment([(chat.lead, True), (text, False)], True)
        for text in continuations(scored, question)
    ]


class Segment(NamedTuple):
    """A stretch of rendered text and whether the model is trained to produce it.

    ``template``: from where to where in it the template's own text stands, in which special
    tokens are tokens. All else is text, whatever it looks like.
    """

    text: str
    supervised: bool
    template: tuple[tuple[int, int], ...] = ()


def text_of(text: str | Segment) -> str:
    """A text or a segment's."""
    return text if isinstance(text, str) else text.text


def render(chat: ChatTemplate, messages: Sequence[Mapping[str, str]], end: str) -> list[Segment]:
    """Lay out a conversation. ``end`` is the tokenizer's end token.

    If the last message is the user's, the text ends where the assistant is to begin.
    """
    segments: list[Segment] = []
    unsupervised = [(chat.system, True)]
    for message in messages:
        if message["role"] == "user":
            unsupervised += [*_filled(chat.user, message["content"]), (chat.assistant_start, True)]
        elif message["role"] == "assistant":
            segments.append(_segment(unsupervised, False))
            reply = _filled(chat.assistant, message["content"])
            segments.append(_segment([*reply, (chat.end.replace("{eos}", end), True)], True))
            unsupervised = [(chat.after, True)]
        else:
            raise UserError(f"conversation: role {message['role']!r} is neither user nor assistant")
    rest = _segment(unsupervised, False)
    return [*segments, rest] if rest.text else segments


def conversation(chat: ChatTemplate, question: Question) -> str:
    """A question and its right answer as a conversation of one turn, less its end token."""
    answer = question["choices"][question["answer"]]
    turns = zip(("user", "assistant"), (question["question"], answer), strict=True)
    messages = [{"role": role, "content": content} for role, content in turns]
    return "".join(segment.text for segment in render(chat, messages, "")).strip()


def _filled(form: str, content: str) -> Iterator[tuple[str, bool]]:
    """The pieces of ``form`` with ``content`` in it, and which of them are the form's own."""
    for own, field, _, _ in Formatter().parse(form):
        yield own, True
        if field is not None:
            yield f"{{{field}}}".format(content=content), False


def _segment(pieces: Iterable[tuple[str, bool]], supervised: bool) -> Segment:
    """Pieces of text, of which some are a template's own, as one segment."""
    text, spans = "", []
    for piece, own in pieces:
        if own and piece:
            spans.append((len(text), len(text) + len(piece)))
        text += piece
    return Segment(text, supervised, tuple(spans))
