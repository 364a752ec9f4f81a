"""Scoring of options and beam search, beside the roof of each."""

import random
from typing import Any

import torch

from bench.gpu.roofs import roofs
from bench.gpu.work import DEVICE, Work, network, seconds
from tuneatlas.models.build import new_t5, train_tokenizer
from tuneatlas.models.likelihoods import Request, log_likelihoods
from tuneatlas.studies.syntax.beam_search import by_transformers

SHARED, OWN = 300, 60


def scoring(work: Work) -> list[dict[str, Any]]:
    """Questions of 60 tokens behind 300 that all share, four options of one token each."""
    rng = random.Random(0)
    names = range(work.vocabulary)
    prefix = rng.choices(names, k=SHARED)
    requests = []
    for _ in range(work.questions):
        context = prefix + rng.choices(names, k=OWN)
        requests += [Request(context, [option]) for option in range(4)]
    found = []
    peaks = roofs(work)
    for shape in work.shapes:
        for dtype in (torch.bfloat16, torch.float32):
            for tf32 in (False, True) if dtype == torch.float32 else (False,):
                torch.backends.cuda.matmul.allow_tf32 = tf32
                model = network(work, shape, dtype).eval()
                spent = seconds(lambda m=model: log_likelihoods(m, requests, 16_384), 3)
                name = "bf16" if dtype == torch.bfloat16 else "tf32" if tf32 else "fp32"
                embedding = work.vocabulary * model.config.hidden_size
                work_done = 2 * (model.num_parameters() - 2 * embedding)
                work_done *= SHARED + work.questions * OWN
                found.append(
                    {
                        "shape": shape,
                        "format": name,
                        "questions_s": work.questions / spent,
                        "share_of_roof": work_done / spent / peaks[f"{name}_flop_s"],
                    }
                )
                del model
    torch.backends.cuda.matmul.allow_tf32 = False
    return found


def beams(work: Work) -> dict[str, Any]:
    """Five beams, 64 sentences, 40 new tokens, a T5 of about 250 million parameters."""
    tokenizer = train_tokenizer(["a b"], 300)
    shape = {"hidden_size": 768, "intermediate_size": 3072, "layers": 12, "heads": 12, "dropout": 0}
    if DEVICE == "cpu":
        shape |= {"hidden_size": 32, "intermediate_size": 64, "layers": 2, "heads": 2}
    model = new_t5(tokenizer, shape, seed=0).to(DEVICE).eval()  # type: ignore[arg-type]
    rng = random.Random(0)
    coded = [rng.choices(range(3, 250), k=60) for _ in range(64 if DEVICE == "cuda" else 2)]
    options = {"beams": 5, "length_penalty": 1.0, "max_new_tokens": 40, "search": "early"}
    options |= {"min_length": 0, "no_repeat_ngram_size": 0}
    names = [str(number) for number in range(len(coded))]
    spent = seconds(lambda: by_transformers(model, tokenizer, coded, options, names), 3)
    # At each of 40 steps the weights of the decoder, half of all, are read: four bytes each.
    least = 40 * model.num_parameters() / 2 * 4 / roofs(work)["copy_bytes_s"]
    return {"sentences_s": len(coded) / spent, "share_of_roof": least / spent}
