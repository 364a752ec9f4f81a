"""What an encoder-decoder writes for given inputs, by beam search.

A ``full`` search is that of transformers by its defaults: it goes on while a better output is
possible, and what a blocked token would have had is lost. An ``early`` one ends when as many
outputs are finished as there are beams, and what is blocked goes to the other tokens
(``early_stopping`` and ``renormalize_logits``): on processors CTranslate2 does it, several times
faster than transformers and with the same outputs (docs/benchmarks.md); on a GPU, and where it does
not read a model as the model's own code does, transformers.
"""

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from ctranslate2 import Translator
from ctranslate2.converters import TransformersConverter
from transformers import LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.engine.step import progress
from tuneatlas.engine.resume import Parts
from tuneatlas.errors import UserError
from tuneatlas.models.generation import Finite, set_generation
from tuneatlas.models.load import embedding_rows, pad_id
from tuneatlas.models.not_numbers import not_numbers
from tuneatlas.models.save import save_model
from tuneatlas.studies.syntax.pretraining.vocabulary import decode
from tuneatlas.training.seq2seq import cut_to, encode_end

log = logging.getLogger(__name__)

# What CTranslate2 is asked to read, and by how much its scores may differ, in nats a token.
FAST, TOLERANCE = ("t5", "mt5", "umt5"), 1e-2
# Scored to see whether it does.
TRIED = 8


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    inputs: Sequence[str],
    options: Mapping[str, Any],
    parts: Parts | None = None,
    names: Sequence[str] = (),
) -> list[str]:
    """The tidied output for each input, in order; none where others have a share of ``parts``.

    ``options``: beams, length_penalty, min_length, no_repeat_ngram_size, max_new_tokens, search,
    perhaps ``never`` (texts that no token of an output may hold), max_length (inputs are cut
    there, their end token kept; they are counted in the log) and batch_rows. ``names``: what
    messages call the inputs; their numbers if none are given.
    """
    coded = [encode_end(tokenizer, text) for text in inputs]
    owners = [f"input {name!r}" for name in names or range(1, len(inputs) + 1)]
    longest = options["max_length"]
    if long := overlong(coded, longest):
        log.warning(
            "%d of %d inputs are longer than max_length (%d tokens) and cut there, such as %s",
            *(len(long), len(inputs), longest, owners[long[0]]),
        )
    coded = [cut_to(ids, longest) for ids in coded]
    # The longest first: a batch that does not fit shows at once.
    order = sorted(range(len(coded)), key=lambda i: (-len(coded[i]), i))
    size = options["batch_rows"]
    on_gpu = model.device.type == "cuda"
    fast = options["search"] == "early" and not on_gpu and coded
    kept = parts or Parts()
    fast = fast and not kept.is_given
    engine = _translator(model, tokenizer, coded[order[-1]]) if fast else None
    found: dict[int, str] = {}
    starts = range(0, len(order), size)
    for start in kept.due(progress(starts, len(starts), "batches")):
        rows = order[start : start + size]
        batch, named = [coded[i] for i in rows], [owners[i] for i in rows]

        def write(batch: list[list[int]] = batch, named: Sequence[str] = named) -> list[list[int]]:
            if engine is None:
                return by_transformers(model, tokenizer, batch, options, named)
            return _by_ctranslate2(engine, tokenizer, batch, options, named)

        written = kept.of(start, write)
        found |= {i: decode(tokenizer, ids) for i, ids in zip(rows, written, strict=True)}
    return [] if kept.is_partial else [found[i] for i in range(len(inputs))]


def cut_inputs(
    tokenizer: PreTrainedTokenizerBase, inputs: Sequence[str], options: Mapping[str, Any]
) -> int:
    """How many of the inputs ``generate`` cuts, for the record of a step."""
    coded = [encode_end(tokenizer, text) for text in inputs]
    return len(overlong(coded, options["max_length"]))


def overlong(coded: Sequence[Sequence[int]], longest: int) -> list[int]:
    """Places of the inputs with more than ``longest`` tokens."""
    return [at for at, ids in enumerate(coded) if len(ids) > longest]


class _Converter(TransformersConverter):  # type: ignore[misc]
    """Of T5s with an output matrix of their own too, whose outputs are not scaled.

    CTranslate2 tells them by ``tie_word_embeddings``, which transformers 5 says of every T5.
    """

    def load_model(self, *where: Any, **options: Any) -> Any:
        model = super().load_model(*where, **options)
        scaled = getattr(model.config, "scale_decoder_outputs", None)
        if scaled is not None:
            model.config.tie_word_embeddings = scaled
        return model


def _translator(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: list[int]
) -> Any:
    """The model as CTranslate2 runs it, on as many threads as torch has, in single precision.

    None if it does not read the model as the model's own code does, tried on ``source``.
    """
    if model.config.model_type not in FAST:
        return None
    # It wants a name for the unknown token, which a tokenizer of bytes has no use for.
    named = copy.deepcopy(tokenizer)
    named.unk_token = tokenizer.unk_token or tokenizer.eos_token
    with TemporaryDirectory() as name:
        save_model(Path(name) / "model", model, named)
        converted = Path(name) / "converted"
        _Converter(str(Path(name) / "model")).convert(str(converted))
        engine = Translator(
            str(converted),
            compute_type="float32",
            inter_threads=1,
            intra_threads=torch.get_num_threads(),
        )
    apart = _apart(engine, model, tokenizer, source)
    if apart > TOLERANCE:
        log.warning(
            "CTranslate2 reads this %s model otherwise than its own code (scores differ by %.2g "
            "nats a token): transformers writes instead, which takes longer",
            *(model.config.model_type, apart),
        )
        return None
    return engine


def _apart(
    engine: Any, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: list[int]
) -> float:
    """The most by which two scores of a token differ; the text scored is an input's beginning."""
    target = source[:TRIED]
    shift: Any = model.prepare_decoder_input_ids_from_labels
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor([source]),
            decoder_input_ids=shift(labels=torch.tensor([target])),
            use_cache=False,
        ).logits[0]
    own = logits.float().log_softmax(-1)[range(len(target)), target]
    names = tokenizer.convert_ids_to_tokens
    [found] = engine.score_batch([names(source)], [names(target)], max_input_length=0)
    differ = (torch.tensor(found.log_probs[: len(target)]) - own).abs()
    # What is no number is told of by whoever writes.
    return float(differ.nan_to_num(0.0).max())


def _by_ctranslate2(
    engine: Any,
    tokenizer: PreTrainedTokenizerBase,
    coded: Sequence[list[int]],
    options: Mapping[str, Any],
    owners: Sequence[str],
) -> list[list[int]]:
    found = engine.translate_batch(
        [tokenizer.convert_ids_to_tokens(ids) for ids in coded],
        beam_size=options["beams"],
        length_penalty=options["length_penalty"],
        max_decoding_length=options["max_new_tokens"],
        # The first token, which is given, is not counted here.
        min_decoding_length=max(options["min_length"] - 1, 0),
        no_repeat_ngram_size=options["no_repeat_ngram_size"],
        suppress_sequences=[[token] for token in _banned(tokenizer, options)] or None,
        max_input_length=0,
        return_scores=True,
    )
    for one, owner in zip(found, owners, strict=True):
        if not math.isfinite(one.scores[0]):
            raise UserError(
                f"{owner}: the score of what the model writes is {one.scores[0]}, "
                f"{not_numbers(torch.float32)}"
            )
    ids_of: Any = tokenizer.convert_tokens_to_ids
    return [ids_of(one.hypotheses[0]) for one in found]


def _banned(tokenizer: PreTrainedTokenizerBase, options: Mapping[str, Any]) -> dict[str, int]:
    """The tokens that hold a text that no output may hold, with their ids."""
    never = options.get("never", ())
    vocabulary = tokenizer.get_vocab() if never else {}
    return {token: at for token, at in vocabulary.items() if any(text in token for text in never)}


def by_transformers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    coded: Sequence[list[int]],
    options: Mapping[str, Any],
    owners: Sequence[str],
) -> list[list[int]]:
    """Token ids that transformers' own search writes for a batch of inputs, after the first one.

    That one is given, not written, and is the end token in some models (BART).
    """
    width, pad = max(map(len, coded)), pad_id(tokenizer, embedding_rows(model))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in coded], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in coded])
    beams, early = options["beams"], options["search"] == "early"
    search = {"length_penalty": options["length_penalty"], "early_stopping": early}
    banned = list(_banned(tokenizer, options).values())
    config = set_generation(
        model,
        tokenizer,
        num_beams=beams,
        max_new_tokens=options["max_new_tokens"],
        min_length=options["min_length"],
        no_repeat_ngram_size=options["no_repeat_ngram_size"],
        renormalize_logits=early,
        do_sample=False,
        **(search if beams > 1 else {}),
        **({"suppress_tokens": banned} if banned else {}),
    )
    network: Any = model
    with torch.inference_mode():
        written = network.generate(
            input_ids=ids,
            attention_mask=mask.to(model.device),
            generation_config=config,
            logits_processor=LogitsProcessorList([Finite(owners, model.dtype)]),
        )
    rows: list[list[int]] = written[:, 1:].tolist()
    return rows
