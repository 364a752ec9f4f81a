"""How many tokens in a row a model was made for."""

from typing import Any


def positions(config: Any) -> int | None:
    """Positions of a model by its config; None if it has no limit, as with relative ones."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None
