"""How long an input a model takes, and whether the config asks for longer ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from transformers import PretrainedConfig

from tuneatlas.errors import Refusal

# Options that say how long an input of the model is to be.
LENGTHS = ("row_length", "window")


def most_positions(config: PretrainedConfig) -> int | None:
    """The most tokens of an input; None for models without such a limit, such as T5.

    Of a model that turns all positions otherwise once one text of a batch is long ("longrope"),
    that length: what is computed of a text must not hang on those beside it.
    """
    text = config.get_text_config()
    said = [getattr(text, "max_position_embeddings", None)]
    rope = getattr(text, "rope_parameters", None) or {}
    if rope.get("rope_type") == "longrope":
        name = "original_max_position_embeddings"
        said += [rope.get(name), getattr(text, name, None)]
    return min((n for n in said if isinstance(n, int) and n > 0), default=None)


def position_problems(
    model: str, config: PretrainedConfig, asking: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Lengths that are more than the positions of a model, each with its key of the config.

    Args:
        model: its name in the config of the experiment.
        config: its own config.
        asking: ``engine.operations.asking`` of the config of the experiment.
    """
    most = most_positions(config)
    for section, options in asking.items():
        for key in LENGTHS:
            if most is not None and options.get(key, 0) > most:
                text = f"{options[key]} tokens are more than the {most} positions of models.{model}"
                yield (section, key), Refusal(f"{text} (its max_position_embeddings): lower this")
