"""The encoder-decoders of the syntax study, and where their weights come from."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import REQUIRED, Count, Name, Positive, Section, Share, option
from tuneatlas.config.models.language_models import FAMILY, InFolder, InPackage, OnHub
from tuneatlas.data.sources import Inner


class _Paraphraser(Section):
    replicates: tuple[Count, ...] | None = option(
        None,
        "pre-training seeds: a model NAME-SEED is made for each, with stages and tunings of its "
        "own; it starts from random weights of its own, from those of the id or path in which "
        "{replicate} stands for the seed (revision is then one commit for each, by seed), or from "
        "the same as the others; what is found is told of them together, with intervals over "
        "pre-training too; null: one model, and what is found holds for it",
    )
    family: Name | None = option(None, FAMILY)


class ScratchParaphraser(_Paraphraser):
    """A small T5 from random weights."""

    source: Literal["scratch"] = option(REQUIRED, "a T5 with random weights")
    vocab_size: Annotated[int, Field(ge=300)] = option(
        2048, "tokens of its byte-level BPE tokenizer, before those for trees", unit="tokens"
    )
    hidden_size: Positive = option(128, "width of the residual stream")
    intermediate_size: Positive = option(512, "width inside the feed-forward blocks")
    layers: Positive = option(3, "blocks of the encoder, and of the decoder", unit="count")
    heads: Positive = option(4, "attention heads per block", unit="count")
    dropout: Share = option(0.1, "share of activations dropped in training", unit="1")


class PackageParaphraser(InPackage, _Paraphraser):
    """A T5 whose weights are files in a package of the Python package index."""

    folder: Inner = option(
        REQUIRED,
        "folder in the package with encoder.onnx, decoder.onnx and tokenizer.json, of a T5 of "
        "version 1.1 such as Flan-T5",
    )


class HubParaphraser(OnHub, _Paraphraser):
    """An encoder-decoder on the Hugging Face hub."""


class PathParaphraser(InFolder, _Paraphraser):
    """A Hugging Face folder of an encoder-decoder on this machine."""


ParaphraserConfig = Annotated[
    ScratchParaphraser | PackageParaphraser | HubParaphraser | PathParaphraser,
    Field(discriminator="source"),
]
