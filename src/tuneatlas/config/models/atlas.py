"""The atlas: what tuned models are measured by that needs no further training."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import Name, Positive, Section, option
from tuneatlas.config.models.knowledge import BATCH


class Atlas(Section):
    """Tuned models beside their base without further training: the models between them."""

    groups: tuple[Name, ...] = option(
        (), "groups whose tuned models are measured; none: the atlas is left out"
    )
    domains: tuple[Name, ...] | None = option(
        None, "tuned domains whose models are measured; null: all of them"
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] | None = option(
        None,
        "tuning seeds whose models are measured, of those of the experiment; null: all of them",
        min_length=1,
    )
    alphas: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = option(
        (0.25, 0.5, 0.75),
        "weight of the tuned model in averages with its base, rising; beside these both ends "
        "are asked",
        unit="1",
        source="Lin et al. 2024, arXiv 2309.06256",
    )
    undone: tuple[Annotated[float, Field(gt=0, lt=100)], ...] = option(
        (1, 5, 20),
        "shares of all weights that are set back to the base's, those whose change is largest in "
        "absolute size, rising",
        unit="%",
        source="Ye et al. 2025, arXiv 2509.16596",
    )
    ways: tuple[Literal["zero_shot", "chat"], ...] = option(
        ("zero_shot", "chat"),
        "ways of asking beside the probe's: without demonstrations; in the chat format of "
        "evaluate_knowledge",
        source="Kotha et al. 2024, arXiv 2309.10105, who ask in other languages",
    )
    rewordings: tuple[str, ...] = option(
        ("Question: {question}", "Tell me: {question}", "{question} What is right?"),
        "other words of a question, which stands where {question} is; demonstrations stay",
    )
    orders: Annotated[int, Field(ge=0)] = option(
        2,
        "other orders of the options in which a question is asked, each moved on by one more "
        "place; 0 where options are not shown (question_template: cloze)",
        unit="count",
    )
    layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = option(
        None,
        "layers whose hidden states are compared and probed: 0 are the embeddings, n is the output "
        "of block n; null: all of them",
        source="Kornblith et al. 2019, arXiv 1905.00414; Hewitt & Liang 2019, arXiv 1909.03368",
    )
    draws: Annotated[int, Field(ge=100)] = option(
        5000, "bootstrap resamples behind each interval", unit="count"
    )
    confidence: Annotated[float, Field(gt=0, lt=1)] = option(
        0.95, "confidence level of intervals", unit="1"
    )
    batch_tokens: Positive = option(16384, BATCH, unit="tokens")
