"""General instructions that the user brings: conversations on anything, in the usual forms."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneatlas.data.text_files import (
    Record,
    load_json,
    read_json_lines,
    read_lines,
    show,
    suffix_of,
)
from tuneatlas.errors import UserError

Message = dict[str, str]
# Names of the roles in the form that FastChat has.
FROM = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant"}


def read_instructions(path: Path) -> list[list[Message]]:
    """Conversations of a file, each of messages from the user and the assistant in turn.

    A row has ``messages`` (role, content), ``conversations`` (from, value; FastChat's), or
    ``instruction``, ``input`` and ``output`` (Alpaca's), of which the first two make the user's
    text, with a line break between.

    Raises:
        UserError: naming file and row of what is none of these.
    """
    found = [_messages(record) for record in _records(path)]
    if not found:
        raise UserError(f"{path}: holds no instructions")
    return found


def _records(path: Path) -> Iterator[Record]:
    suffix = suffix_of(path)
    if suffix in (".jsonl", ".ndjson"):
        yield from read_json_lines(path)
        return
    if suffix != ".json":
        raise UserError(f"{path}: a file of instructions ends in .jsonl or .json (also with .gz)")
    rows = load_json("\n".join(line for _, line in read_lines(path)), str(path))
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a JSON array of instructions")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{path}, row {number}: expected an object with named values")
        yield Record(f"{path}, row {number}", number, row)


def _messages(record: Record) -> list[Message]:
    values, place = record.values, record.place
    if isinstance(values.get("messages"), list):
        said = [_message(m, "role", "content", place) for m in values["messages"]]
    elif isinstance(values.get("conversations"), list):
        said = [_message(m, "from", "value", place) for m in values["conversations"]]
    elif {"instruction", "output"} <= values.keys():
        asked = [values["instruction"], values.get("input") or ""]
        texts = [*asked, values["output"]]
        if not all(isinstance(text, str) for text in texts):
            raise UserError(f"{place}: instruction, input and output must be texts")
        question = "\n".join(filter(None, asked))
        said = [{"role": "user", "content": question}]
        said += [{"role": "assistant", "content": values["output"]}]
    else:
        raise UserError(
            f"{place}: an instruction has messages, conversations, or instruction and output; this "
            f"has {', '.join(map(str, values)) or 'nothing'}"
        )
    turns = [message["role"] for message in said]
    if turns != ["user", "assistant"] * (len(turns) // 2) or not turns:
        raise UserError(
            f"{place}: user and assistant must speak in turn, found {json.dumps(turns)}"
        )
    if empty := next((m for m in said if not m["content"].strip()), None):
        raise UserError(f"{place}: the {empty['role']} says nothing; leave this row out")
    return said


def _message(message: Any, role: str, content: str, place: str) -> Message:
    known = isinstance(message, Mapping) and FROM.get(str(message.get(role)))
    if not known or not isinstance(message.get(content), str):
        raise UserError(
            f"{place}: a message has {role} ({' or '.join(FROM)}) and {content}, a text; found "
            f"{show(message)}"
        )
    return {"role": known, "content": message[content]}
