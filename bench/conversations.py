"""Conversations for the tuning rows: a run's questions and answers, one or several a talk."""

import random
from itertools import cycle
from pathlib import Path
from typing import Any

from tuneatlas.models.encode import encode_segments
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate, render, reply_text, user_text
from tuneatlas.models.token_files import Example
from tuneatlas.tables import QUESTIONS

SHORTEST, LONGEST = 20, 200


def conversations(results: Path, tokenizer: Any, count: int) -> list[Example]:
    """``count`` conversations of 20 to 200 tokens, of one to four questions each."""
    layout = QuestionTemplate.load(Path("config/templates/questions/cloze.yaml"))
    chat = ChatTemplate.load(Path("config/templates/chat/plain.yaml"))
    paths = sorted((results / "prepare_questions").glob("*.parquet"))
    questions = [q for path in paths for q in QUESTIONS.read(path)]
    rng = random.Random(0)
    rng.shuffle(questions)
    source = cycle(questions)
    found: list[Example] = []
    while len(found) < count:
        messages = []
        for question in (next(source) for _ in range(rng.randint(1, 4))):
            reply = reply_text(layout, question, question["answer"], question["explanation"])
            messages += [
                {"role": "user", "content": user_text(layout, question)},
                {"role": "assistant", "content": reply},
            ]
        segments = render(chat, messages, str(tokenizer.eos_token))
        example = encode_segments(tokenizer, segments, True)
        if SHORTEST <= len(example.tokens) <= LONGEST:
            found.append(example)
    return found
