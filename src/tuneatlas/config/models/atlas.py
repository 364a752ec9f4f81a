"""The atlas: what tuned models are measured by, beside their base."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import Name, Positive, Section, option
from tuneatlas.config.models.knowledge import BATCH
from tuneatlas.config.models.training import ROW, Amount, Decay, PretrainingConfig, Rate


class Atlas(Section):
    """Tuned models beside their base without further training: the models between them."""

    groups: tuple[Name, ...] = option(
        (),
        "groups, and treatments, whose tuned models are measured",
    )
    checkpoints: tuple[Name, ...] = option(
        (),
        "checkpoints tuned elsewhere that are measured as the tuned models are, all steps of one "
        "together; with no groups and none of these, the atlas is left out",
    )
    domains: tuple[Name, ...] | None = option(
        None, "tuned domains whose models are measured; null: all of them"
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] | None = option(
        None,
        "tuning seeds whose models are measured, of those of the experiment; null: all of them",
        min_length=1,
    )
    measures: tuple[Literal["distance", "battery", "changes", "inside"], ...] = option(
        ("distance", "battery", "changes", "inside"),
        "what is measured beside the models between base and tuned: how far each is from its base "
        "(distance), what other prompts reach (battery), where weights and hidden states changed "
        "(changes), what a probe reads in them (inside); the last two ask of what the battery "
        "found. Relearning is left out by relearn_facts.updates",
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
    prompts: Positive = option(
        64,
        "prompts of the training set, drawn at random, on which the distance from the base is "
        "measured",
        unit="prompts",
        source="Shenfeld et al. 2025, arXiv 2509.04259",
    )
    samples: Positive = option(
        4, "answers that the base model draws to each of them, at temperature 1", unit="answers"
    )
    answer_tokens: Positive = option(
        64, "longest of these answers; of longer ones the beginning counts", unit="tokens"
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


class RelearnFacts(PretrainingConfig):
    """Facts that the atlas's tunings lost are relearnt, beside facts that were never known."""

    updates: tuple[Positive, ...] = option(
        (1, 2, 4, 8, 16, 32, 64),
        "updates after which the facts are asked, rising; none: this measure is left out",
        unit="updates",
        source="Zheng et al. 2025, arXiv 2501.13453",
    )
    facts: Positive = option(
        100, "facts of each kind that are followed, drawn at random", unit="facts"
    )
    epochs: Literal[1] = option(1, "as many passes as the last update takes", unit="passes")
    batch: Positive = option(8, "texts per update, over all devices", unit="texts")
    batch_unit: Literal["examples"] = option("examples", "what batch counts")
    row_length: Positive = option(2048, f"{ROW}; longer ones are split", unit="tokens")
    isolate: bool = option(
        True, "texts that share a row do not see each other; false: a row is one running text"
    )
    learning_rate: Rate = option(2e-5, "peak learning rate")
    schedule: Literal["cosine", "linear", "constant"] = option(
        "constant", "course of the learning rate after warm-up"
    )
    warmup_ratio: Decay = option(
        0.0, "share of the steps in which the rate rises to its peak, none of them at 0", unit="1"
    )
    weight_decay: Amount = option(0.0, "decoupled weight decay (AdamW)")
    batch_tokens: Positive = option(16384, BATCH, unit="tokens")
