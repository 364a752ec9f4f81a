"""What lies beside a model's weights for whoever opens them elsewhere: a card, a chat template.

The same run writes the same bytes: a card has no dates.
"""

import hashlib
import json
import re
from pathlib import Path
from string import Formatter

from tuneatlas.engine.step import Step
from tuneatlas.engine.files import sha256_tree
from tuneatlas.engine.operations import split
from tuneatlas.models.prompts import ChatTemplate, escaped

CARD = "README.md"
NOT_STATED = "not stated"
MOST = 2**20  # bytes of a card that are looked at
# Inputs of steps that a model is trained on.
DATA = (
    *("conversations", "documents", "material", "sentences", "paraphrases"),
    *("tasks", "structure", "syntax", "labels"),
)


def brought_card(step: Step, folder: Path | None = None) -> str:
    """The card of a base model that was brought, from ``folder`` if it is one."""
    options = step.options
    keys = ("id", "revision", "path", "package", "version", "file", "folder")
    source = " ".join(str(options[key]) for key in keys if key in options)
    licence = options.get("licence") or (_stated(folder, "license") if folder else None)
    return _card(step, source, licence or NOT_STATED)


def trained_card(step: Step, base: Path | None = None) -> str:
    """The card of a model that the step trains, of which ``base``, if any, is the start."""
    if base is None:
        return _card(step, "random weights", "that of the texts that it is trained on")
    source = _stated(base, "- Base model") or str(base)
    return _card(step, source, stated_licence(base))


def stated_licence(folder: Path) -> str:
    """The licence that the card in a model's folder states."""
    return _stated(folder, "license") or NOT_STATED


def _card(step: Step, base: str, licence: str) -> str:
    lasting, _ = split(step.options)
    config = json.dumps(lasting, sort_keys=True, default=str)
    data = [
        (str(path), sha256_tree(path))
        for name in DATA
        if step.inputs.get(name)
        for path in step.paths(name)
    ]
    which = " ".join([step.name, *(f"{k}={v}" for k, v in sorted(step.wildcards.items()))])
    lines = [
        "---",
        "library_name: transformers",
        f"license: {json.dumps(licence)}",
        "tags: [tuneatlas]",
        "---",
        f"# {which}",
        "",
        "Made with tuneatlas. Texts that it was trained on have licences of their own: the run's",
        "report names them.",
        "",
        f"- Base model: {base}",
        f"- Licence of the base model: {licence}",
        *(f"- Data: `{path}`, SHA-256 {digest}" for path, digest in data),
        f"- Config: SHA-256 {hashlib.sha256(config.encode()).hexdigest()} of the step's options",
        "",
    ]
    return "\n".join(lines)


def _stated(folder: Path, key: str) -> str | None:
    """What the card in a folder says after ``key`` at the beginning of a line."""
    path = folder / CARD
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        text = stream.read(MOST).decode(errors="replace")
    found = re.search(rf"^{re.escape(key)}:[ \t]*(\S.*)$", text, re.MULTILINE)
    return found.group(1).strip().strip("\"'") if found else None


def jinja_template(chat: ChatTemplate, end: str, *, bos: bool) -> str:
    """``chat`` as a tokenizer's own template lays conversations out; ``end``: its end token."""
    begin = "{{ bos_token }}" if bos else ""
    closing = chat.assistant + escaped(chat.end.replace("{eos}", end)) + escaped(chat.after)
    return (
        f"{begin}{_say(_literal(chat.system))}{{% for message in messages %}}"
        f"{{% if message['role'] == 'user' %}}{_say(_pieces(chat.user))}"
        "{% if add_generation_prompt or not loop.last %}"
        f"{_say(_literal(chat.assistant_start))}{{% endif %}}"
        f"{{% elif message['role'] == 'assistant' %}}{_say(_pieces(closing))}"
        "{% else %}{{ raise_exception('a role is neither user nor assistant') }}"
        "{% endif %}{% endfor %}"
    )


def _say(expression: str) -> str:
    return f"{{{{ {expression} }}}}"


def _pieces(form: str) -> str:
    """A format string with the field ``content`` as an expression of Jinja."""
    parts: list[str] = []
    for text, name, _, _ in Formatter().parse(form):
        parts.append(_literal(text))
        if name is not None:
            parts.append("message['content']")
    return " + ".join(parts)


SPELT = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _literal(text: str) -> str:
    return "'" + "".join(SPELT.get(c, c) for c in text) + "'"


def beside(step: Step) -> dict[str, str]:
    """The card beside the model that a step trains from its input ``model``, or from nothing."""
    return {CARD: trained_card(step, step.path("model") if "model" in step.inputs else None)}
