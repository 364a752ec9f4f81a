"""Few-shot probing: 500 four-choice questions, five demonstrations each, letters and cloze."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.harness import Peer, Work, timed
from tuneatlas.models.encode import encode_pairs
from tuneatlas.models.load import load_model
from tuneatlas.models.prompts import QuestionTemplate, continuations, few_shot_prompt
from tuneatlas.models.scoring import score_prompts
from tuneatlas.studies.knowledge.probe import pick_demonstrations
from tuneatlas.tables import QUESTIONS

# Five rounds, each with a domain of its own.
QUESTIONS_OF_A_DOMAIN, SHOTS = 100, 5


Asked = tuple[list[str], list[list[str]]]


def asked(results: Path, layout: str) -> list[Asked]:
    """Prompts and options of each domain, as the probe asks them: with its demonstrations."""
    template = QuestionTemplate.load(Path(f"config/templates/questions/{layout}.yaml"))
    found = []
    for path in sorted((results / "prepare_questions").glob("*.parquet")):
        rows = [q for q in QUESTIONS.read(path) if q["role"] == "home"]
        shown = [q for q in rows if q["split"] == "dev"]
        shown = pick_demonstrations(shown, SHOTS, random.Random(0))
        chosen = [q for q in rows if q["split"] != "dev"][:QUESTIONS_OF_A_DOMAIN]
        prompts = [few_shot_prompt(template, shown, q) for q in chosen]
        found.append((prompts, [continuations(template, q) for q in chosen]))
    return found


def one_by_one(
    model: Any, tokenizer: Any, prompts: list[str], options: list[list[str]]
) -> np.ndarray:
    """One forward pass for each option of each question."""
    scores = []
    with torch.inference_mode():
        for prompt, several in zip(prompts, options, strict=True):
            for option in several:
                [(context, continuation)] = encode_pairs(tokenizer, [(prompt, option)], True)
                logits = model(torch.tensor([context + continuation]), use_cache=False).logits
                log_probs = torch.log_softmax(logits[0].float(), dim=-1)
                at = range(len(context) - 1, len(context) + len(continuation) - 1)
                scores.append(
                    sum(float(log_probs[i, t]) for i, t in zip(at, continuation, strict=True))
                )
    return np.array(scores).reshape(len(prompts), -1)


def harness_model(folder: Path, batch: int) -> Any:
    """The peer's model, on one processor core."""
    from lm_eval.models.huggingface import HFLM

    peer = HFLM(str(folder), device="cpu", batch_size=batch, dtype="float32", add_bos_token=True)
    return peer


def harness_scores(peer: Any, prompts: list[str], options: list[list[str]]) -> np.ndarray:
    """Log-likelihoods by lm-evaluation-harness."""
    from lm_eval.api.instance import Instance

    wanted = [
        Instance("loglikelihood", {}, (prompt, option), 0)
        for prompt, several in zip(prompts, options, strict=True)
        for option in several
    ]
    found = peer.loglikelihood(wanted, disable_tqdm=True)
    return np.array([score for score, _ in found]).reshape(len(prompts), -1)


def fastest(run: Callable[[int], Any], choices: list[int]) -> int:
    """The choice that takes the fewest CPU-seconds."""
    return min(choices, key=lambda choice: timed(run, choice)[0])


def probing(results: Path, layout: str) -> Work:
    """The row for one layout of the questions."""
    folder = results / "prepare_base" / "mini"
    model, tokenizer = load_model(folder)
    domains = asked(results, layout)
    first = [side[:60] for side in domains[0]]
    harness_scores(harness_model(folder, 4), *(side[:4] for side in first))
    best = fastest(lambda n: harness_scores(harness_model(folder, n), *first), [1, 4, 16, 64])
    peer = harness_model(folder, best)
    settings = {"scoring": layout, "batch_tokens": 512}

    def ours(number: int) -> np.ndarray:
        prompts, options = domains[number]
        group = [number] * len(prompts)
        return np.array(
            score_prompts(model, tokenizer, group, prompts, options, settings, bos=True)
        )

    def same(one: np.ndarray, other: np.ndarray) -> str:
        largest = float(np.abs(one - other).max())
        answers = float((one.argmax(1) == other.argmax(1)).mean())
        assert largest < 1e-4 and answers == 1, (largest, answers)
        return f"log-likelihoods within {largest:.0e}, all answers equal"

    ours(0)
    count = sum(len(prompts) for prompts, _ in domains)
    return Work(
        f"5-shot probing by {layout}, {count} questions of {len(domains)} domains",
        ours,
        [
            Peer(
                "one forward per option",
                lambda i: one_by_one(model, tokenizer, *domains[i]),
                30,
            ),
            Peer(
                f"lm-evaluation-harness, batch {best}",
                lambda i: harness_scores(peer, *domains[i]),
                10,
            ),
        ],
        same,
        ["torch", "transformers", "lm_eval"],
    )
