"""How long an input a model takes, and whether the config asks for longer ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from transformers import PretrainedConfig

# Options that say how long an input of the model is to be.
LENGTHS = ("row_length", "window")


def most_positions(config: PretrainedConfig) -> int | None:
    """The most tokens of an input; None for models without such a limit, such as T5."""
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else None


def position_problems(
    model: str, config: PretrainedConfig, asking: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Lengths that are more than the positions of a model, each with its key of the config.

    Args:
        model: its name in the config of the experiment.
        config: its own config.
        asking: ``sections.asking`` of the config of the experiment.
    """
    most = most_positions(config)
    for section, options in asking.items():
        for key in LENGTHS:
            if most is not None and options.get(key, 0) > most:
                text = f"{options[key]} tokens are more than the {most} positions of models.{model}"
                yield (section, key), f"{text} (its max_position_embeddings): lower this"
