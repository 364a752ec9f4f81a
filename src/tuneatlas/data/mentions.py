"""Which facts a corpus states: known of models that are pre-trained here, on built-in facts."""

from collections.abc import Mapping

MENTIONED, UNMENTIONED = "mentioned", "unmentioned"
# How often the corpus states the fact of a question, where that is known.
Mentions = Mapping[str, int | None]


def facts_of(question: str, mentions: Mentions) -> str | None:
    """Whether the corpus states the fact of a question: MENTIONED or UNMENTIONED, if known."""
    count = mentions.get(question)
    return None if count is None else MENTIONED if count else UNMENTIONED
