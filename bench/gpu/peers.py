"""TRL and lm-evaluation-harness on the same card, the same network and the same work."""

import random
import tempfile
from typing import Any

import torch

from bench.gpu.training import WARM, Clock, trained
from bench.gpu.work import DEVICE, Work, documents, network, seconds
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.encode import encode_pairs
from tuneatlas.models.likelihoods import Request, log_likelihoods


def harness(work: Work) -> dict[str, Any]:
    """Questions a second of both, in bf16, on prompts that begin alike; the largest difference."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    rng = random.Random(0)
    words = [f"{a}{b}" for a in "bcdfghklmnprst" for b in "aeiou"]
    tokenizer = train_tokenizer([" ".join(words)], 400)

    def text(count: int) -> str:
        return " ".join(rng.choices(words, k=count))

    prefix = text(100)
    pairs = [
        (f"{prefix} {question} Answer:", f" {letter}")
        for question in (text(20) for _ in range(work.questions))
        for letter in "bcdf"
    ]
    dtype = torch.bfloat16 if DEVICE == "cuda" else torch.float32
    model = network(work, "1B", dtype).eval()
    found: dict[str, Any] = {"questions": work.questions}
    ours: list[float] = []

    def score() -> None:
        coded = [Request(*pair) for pair in encode_pairs(tokenizer, pairs, True)]
        ours[:] = log_likelihoods(model, coded, 16_384).tolist()

    found["ours_questions_s"] = work.questions / seconds(score, 3)
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        for batch in (16, 64, 256) if DEVICE == "cuda" else (4,):
            peer: Any = HFLM(
                folder,
                device=DEVICE,
                dtype=str(dtype).removeprefix("torch."),
                batch_size=batch,
                add_bos_token=True,
            )
            asked = [Instance("loglikelihood", {}, pair, 0) for pair in pairs]

            def score_theirs(peer: Any = peer, asked: Any = asked) -> None:
                theirs[:] = [score for score, _ in peer.loglikelihood(asked, disable_tqdm=True)]

            found[f"harness_{batch}_questions_s"] = work.questions / seconds(score_theirs, 1)
    found["largest_difference"] = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    return found


def trl(work: Work) -> dict[str, Any]:
    """Tokens a second of conversations of 26 to 200 tokens, 135M, bf16; batches of 256."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    sizes: dict[str, Any] = {"batch": 256, "rows": 8, "recompute": False, "steps": 2}
    found: dict[str, Any] = {"ours_tokens_s": trained(work, "135M", **sizes)["tokens_s"]}
    count = 256 if DEVICE == "cuda" else 4
    examples = documents(work, count * (2 + WARM))
    rows = [
        {"input_ids": e.tokens, "completion_mask": list(map(int, e.supervised))} for e in examples
    ]
    tokenizer = train_tokenizer(["a b"], 300)
    settings: dict[str, dict[str, Any]] = {
        "default": {},
        "no recomputing": {"gradient_checkpointing": False},
        "length groups of 64, chunked loss": {
            "gradient_checkpointing": False,
            "per_device_train_batch_size": 64,
            "train_sampling_strategy": "group_by_length",
            "loss_type": "chunked_nll",
        },
    }
    for name, options in settings.items():
        each = min(count, options.get("per_device_train_batch_size", 8))
        with tempfile.TemporaryDirectory() as folder:
            arguments = SFTConfig(
                output_dir=folder,
                completion_only_loss=True,
                num_train_epochs=1,
                learning_rate=1e-6,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                log_level="error",
                use_cpu=DEVICE == "cpu",
                bf16=DEVICE == "cuda",
                **{"per_device_train_batch_size": each, **options}
                | {"gradient_accumulation_steps": max(1, count // each)},
            )
            clock = Clock()
            trainer = SFTTrainer(
                model=network(work, "135M", torch.float32).train(),
                args=arguments,
                train_dataset=Dataset.from_list(rows),
                processing_class=tokenizer,
                callbacks=[clock],
            )
            trainer.train()
        spent = clock.ends[-1] - clock.ends[WARM - 1]
        share = (len(clock.ends) - WARM) / len(clock.ends)
        tokens = share * sum(len(e.tokens) for e in examples)
        found[f"trl, {name}: tokens_s"] = tokens / spent
    return found
