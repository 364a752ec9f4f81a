"""Parsing in several processes of a parser, each sentence once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tuneatlas.studies.syntax.trees.parsers import Parser
from tuneatlas.studies.syntax.trees.parsing import Parsed, need_some, parse_all

# Sentences below which a further process costs more than it saves.
LEAST = 200


def parse_in_parallel(
    parser: Parser, sentences: Sequence[str], max_words: int, jobs: int
) -> list[Parsed]:
    """What `parse_all` makes of each sentence; ``jobs`` processes share the different ones."""
    # Long sentences take the longest: each process has some.
    texts = sorted(dict.fromkeys(sentences), key=len)
    count = max(1, min(jobs, len(texts) // LEAST))
    parts = [texts[at::count] for at in range(count)]
    found: dict[str, Parsed] = {}
    with ThreadPoolExecutor(count) as pool:
        for part, parsed in zip(
            parts, pool.map(lambda part: parse_all(parser, part, max_words), parts), strict=True
        ):
            found |= zip(part, parsed, strict=True)
    need_some(parser, (parsed.status for parsed in found.values()))
    return [found[text] for text in sentences]
