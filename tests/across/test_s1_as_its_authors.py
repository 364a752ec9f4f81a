"""S1 as its authors ran it: prompts to the blank, groups by confidence, what keys do to rows."""

import json
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import ROOT, TEMPLATES, question
from tuneatlas.errors import UserError
from tuneatlas.models.encode import encode, encode_alone
from tuneatlas.models.prompts import (
    ChatTemplate,
    ExplainTemplate,
    QuestionTemplate,
    Segment,
    chat_prompt,
    continuations,
    few_shot_prompt,
    render,
    reply_text,
    user_text,
)
from tuneatlas.models.scoring import answer_row
from tuneatlas.studies.knowledge.explain import explain_prompt, kept_text
from tuneatlas.studies.knowledge.label import drawn_ranks, label_questions
from tuneatlas.studies.knowledge.mix import General, mix_instructions, unfinished
from tuneatlas.studies.knowledge.probe import _demonstrations, pick_demonstrations

RELEASED = ROOT.parent / "shared" / "data" / "self-aligning-released"
at_hand = pytest.mark.skipif(not RELEASED.is_dir(), reason=f"no released data at {RELEASED}")
REN = QuestionTemplate.load(TEMPLATES / "questions" / "letter_ren.yaml")
URIAL = ExplainTemplate.load(TEMPLATES / "explain" / "urial_1shot.yaml")
VICUNA = ChatTemplate.load(TEMPLATES / "chat" / "vicuna.yaml")
ASKED = question(
    5,
    topic="history",
    question="Who  came first? _____",
    choices=["Ann", "Bo", "Cy", "Di"],
    answer=2,
)
SHOWN = question(6, topic="history", question="And then?", choices=["K", "L", "M", "N"], answer=1)
HEADER = (
    "The following are multiple choice questions about history. Please choose the correct answer. "
    "\n\n"
)
BODY = "Who  came first? _____\nA. Ann\nB. Bo\nC. Cy\nD. Di\nAnswer:"


def test_the_prompt_of_the_probe_to_the_blank():
    assert few_shot_prompt(REN, [SHOWN], ASKED) == (
        f"{HEADER}And then?\nA. K\nB. L\nC. M\nD. N\nAnswer:B. L\n\n{BODY}"
    )
    assert continuations(REN, ASKED) == ["A", "B", "C", "D"]


def test_a_subject_of_mmlu_has_two_spaces_before_it():
    related = {**ASKED, "role": "related", "topic": "high_school_us_history"}
    assert few_shot_prompt(REN, [], related) == (
        "The following are multiple choice questions about  high school us history. Please choose "
        f"the correct answer. \n\n{BODY}"
    )


def test_the_prompt_of_evaluation_and_the_conversation_to_the_blank():
    system = (
        "A chat between a curious user and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the user's questions."
    )
    asked = f"{system} USER: {HEADER}{BODY} ASSISTANT:"
    assert chat_prompt(VICUNA, REN, ASKED).text == asked
    # The space that ends it is the context's own where a letter is scored by itself.
    led = chat_prompt(VICUNA, REN, ASKED, lead=True)
    assert led.text == f"{asked} "
    assert led.template[-1] == (len(asked), len(asked) + 1)
    messages = [
        {"role": "user", "content": user_text(REN, ASKED)},
        {"role": "assistant", "content": reply_text(REN, ASKED, 2, "Cy did.")},
    ]
    whole = "".join(segment.text for segment in render(VICUNA, messages, "</s>"))
    assert whole == f"{asked} C. Cy\nCy did.</s>"


def test_the_prompt_for_explanations_to_the_blank():
    prompt = explain_prompt(URIAL, [], ASKED, 0)
    assert prompt.startswith(
        "# Instruction\n\nBelow is a list of conversations between a human and an AI assistant "
        '(you). \nUsers place their queries under "# Query:", and your responses are under  '
        '"# Answer:".\nYou are a helpful, respectful, and honest assistant.\n'
    )
    assert "# Answer:\n```\nAbsolutely, below are some of the most common types" in prompt
    assert prompt.endswith(
        "environmentally friendly energy consumption.\n```\n\n"
        "# Query:\n```Below is a multiple-choice question and the answer. Please give the "
        "explanation.\nQuestion: Who  came first? _____\nChoices: \nA. Ann\nB. Bo\nC. Cy\nD. Di\n"
        "Answer: A\n```\n\n# Answer:\n"
    )
    assert prompt.count("# Query:\n") == 2
    assert "Hello" not in prompt and "let me know" not in prompt


def test_old_explanation_templates_still_show_the_answer_alone():
    urial = ExplainTemplate.load(TEMPLATES / "explain" / "urial.yaml")
    text = explain_prompt(urial, [SHOWN | {"explanation": "Why."}], ASKED, 2)
    assert text.startswith("And then?\nAnswer: L\nExplanation:\n```\nWhy.\n```\n\n")
    assert kept_text(urial, "It is.\n```\nmore") == ("It is.", True)
    assert kept_text(urial, "It is.") == ("It is.", False)


@pytest.mark.parametrize(
    ("written", "kept", "closed"),
    [
        ("```\nSo it is.\n```\n\n# Query:\n```x```", "So it is.", True),
        ("Well ```in``` it", "in", True),
        ("```\nSo it", "So it", False),
        (" ```\nSo it", "```\nSo it", False),
        ("So it is.", "So it is.", False),
        ("``````", "", True),
        ("", "", False),
    ],
)
def test_what_is_kept_of_what_the_model_wrote(written: str, kept: str, closed: bool):
    assert kept_text(URIAL, written) == (kept, closed)


def test_demonstrations_are_the_authors_rows():
    """Rows 7, 3, 2, 8, 5 of ten, and 3, 1, 2, 4, 0 of MMLU's five, each subject anew."""
    dev = [question(n, split="dev") for n in range(10)]
    assert [q["subject"] for q in pick_demonstrations(dev, 5, random.Random(42))] == list("73285")
    topics = [
        question(10 * t + n, split="dev", role="related", topic=f"topic{t}")
        for t in range(3)
        for n in range(5)
    ]
    asked = [question(99, topic="numbers")]
    asked += [question(99, role="related", topic=f"topic{t}") for t in range(3)]
    options = {"demonstration_seed": 42, "shots": 5, "reseed": True}
    shown = _demonstrations([*dev, *topics], asked, options, 0)
    assert [q["subject"] for q in shown["home", "numbers"]] == list("73285")
    for t in range(3):
        assert [int(q["subject"]) - 10 * t for q in shown["related", f"topic{t}"]] == [
            3,
            1,
            2,
            4,
            0,
        ]
    running = _demonstrations([*dev, *topics], asked, options | {"reseed": False}, 0)
    assert running != shown and running["home", "numbers"] == shown["home", "numbers"]


def test_alone_an_option_is_its_own_last_token(tokenizer):
    pairs = [("Answer: ", letter) for letter in ("A", "B")]
    coded = encode_alone(tokenizer, pairs, True)
    for (context, letter), (before, after) in zip(pairs, coded, strict=True):
        assert before == [tokenizer.bos_token_id, *encode(tokenizer, context, False)]
        assert after == encode(tokenizer, letter, False)[-1:] and len(after) == 1
    # Text is text: a special token in a question is none.
    [(ids, _)] = encode_alone(tokenizer, [(f"{tokenizer.eos_token} ", "A")], False)
    assert tokenizer.eos_token_id not in ids
    own = Segment(f"{tokenizer.eos_token} ", False, ((0, len(tokenizer.eos_token)),))
    [(ids, _)] = encode_alone(tokenizer, [(own, "A")], False)
    assert ids[0] == tokenizer.eos_token_id


def test_a_tie_goes_to_the_first_option_if_the_config_says_so():
    import numpy as np

    tied = np.array([1.0, 3.0, 3.0, 0.0])
    for answer in (1, 2):
        row = answer_row(question(1, answer=answer), tied, "", "first")
        assert (row["pred"], row["correct"], row["tied"]) == (1, answer == 1, 1)


def probed(numbers: list[tuple[bool, float]]) -> list[dict]:
    return [
        {"id": f"q{n}", "answer": 1, "pred": 1 if right else 3, "correct": right, "pred_prob": p}
        for n, (right, p) in enumerate(numbers)
    ]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(26, 99).map(lambda n: n / 100)), max_size=60),
    st.sampled_from(["match", "all"]),
)
def test_groups_by_confidence(numbers, size):
    answers = probed(numbers)
    labels = label_questions(
        answers,
        harmonious_size=size,
        rng=random.Random(0),
        min_confidence=0.5,
        harmonious_pool="confident",
        seed=42,
    )
    known = {a["id"]: a for a in answers}
    by = {g: [r["id"] for r in labels if r["group"] == g] for g in ("harmonious", "incompatible")}
    own = [r["id"] for r in labels if r["group"] == "self_aligning"]
    wrong = [a for a in answers if not a["correct"]]
    assert own == by["incompatible"]
    assert set(own) == {a["id"] for a in wrong if a["pred_prob"] > 0.5}
    sure = [known[i]["pred_prob"] for i in own]
    assert sure == sorted(sure, reverse=True)
    right = [a for a in answers if a["correct"] and a["pred_prob"] > 0.5]
    pool = min(len(right), len(wrong))
    assert len(by["harmonious"]) == (min(pool, len(own)) if size == "match" else pool)
    best = sorted((a["pred_prob"] for a in right), reverse=True)[:pool]
    assert all(known[i]["pred_prob"] >= min(best, default=1) for i in by["harmonious"])


@at_hand
@pytest.mark.parametrize(
    ("model", "domain", "pools"),
    [
        ("llama-2-7b", "engineering", {1414}),
        ("llama-2-7b", "history", {1221}),
        ("mistral-7b", "engineering", {1656, 1657}),
        ("mistral-7b", "history", {2478}),
    ],
)
def test_the_released_harmonious_rows_are_our_draw_from_the_most_confident(model, domain, pools):
    path = RELEASED / f"group/{model}/{domain}/consistent-correct-exp-sample.jsonl"
    probs = [json.loads(line)["pred_prob"] for line in path.open(encoding="utf-8")]

    def fits(pool: int) -> bool:
        ranks = drawn_ranks(pool, len(probs), 42)
        order = sorted(range(len(probs)), key=lambda at: ranks[at])
        return all(probs[a] >= probs[b] for a, b in pairwise(order))

    assert {pool for pool in range(len(probs), 5000) if fits(pool)} == pools


@at_hand
@pytest.mark.parametrize("model", ["llama-2-7b", "mistral-7b"])
def test_the_released_groups_are_ours_in_order_and_label(model: str):
    """Rows as probed, in the order of the training file, which seed 42 gives."""
    from tuneatlas.data.released_files import RAW
    from tuneatlas.data.xiezhi import split_in_turn

    order = split_in_turn({name: list(range(n)) for name, n in RAW.items()})["engineering"]["train"]
    place = {number: at for at, number in enumerate(order)}
    names = ("consistent-correct-exp-sample", "inconsistent-golden-exp")
    theirs = {}
    for name in (*names, "inconsistent-predict-model-exp"):
        path = RELEASED / f"group/{model}/engineering/{name}.jsonl"
        theirs[name] = [json.loads(line) for line in path.open(encoding="utf-8")]
    answers = sorted((row for name in names for row in theirs[name]), key=lambda r: place[r["id"]])
    labels = label_questions(
        answers,
        harmonious_size="match",
        rng=random.Random(0),
        min_confidence=0.5,
        harmonious_pool="confident",
    )
    for group, name in (
        ("incompatible", names[1]),
        ("self_aligning", "inconsistent-predict-model-exp"),
    ):
        ours = [(r["id"], r["label"]) for r in labels if r["group"] == group]
        assert ours == [(r["id"], r["output"]) for r in theirs[name]]


def mixed(group: str = "incompatible", **more) -> list[dict]:
    """A training set of ten wrong and ten right answers."""
    answers = probed([(False, 0.9)] * 10 + [(True, 0.9)] * 10)
    labels = label_questions(answers, harmonious_size="match", rng=random.Random(0))
    return mix_instructions(
        labels,
        {f"q{n}": question(n, id=f"q{n}", answer=1) for n in range(20)},
        {f"q{n}": f"own {n}" for n in range(10)},
        group=group,
        template=REN,
        rng=random.Random(3),
        **more,
    )


CHATS = [
    [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "!"}] for n in range(40)
]


def test_general_instructions_are_mixed_in_at_a_ratio():
    plain = mixed()
    rows = mixed(general=General(CHATS, 1.5, random.Random(1)))
    assert rows[:10] == plain
    assert len(rows) == 25 and len({row["id"] for row in rows}) == 25
    assert {(r["origin"], r["label"], r["weight"]) for r in rows[10:]} == {("general", -1, 1.0)}
    # More of them hold the fewer ones, and another group has the same.
    fewer = mixed("harmonious", general=General(CHATS, 0.5, random.Random(1)))[10:]
    assert fewer == rows[10:15]
    with pytest.raises(UserError, match="50 instructions are asked for beside 10 .* file has 40"):
        mixed(general=General(CHATS, 5.0, random.Random(1)))


def test_given_contexts_stand_before_the_questions_of_their_group():
    contexts = {f"q{n}": f"Known: {n}." for n in range(10)}
    rows, plain = mixed("contextualised", contexts=contexts), mixed("incompatible")
    for row, without in zip(rows, plain, strict=True):
        said = without["messages"][0]["content"]
        assert row["messages"][0]["content"] == f"{contexts[row['id']]}\n\n{said}"
        assert row["messages"][1] == without["messages"][1] and row["label"] == without["label"]
    assert mixed("incompatible", contexts=contexts) == plain
    with pytest.raises(UserError, match="2 of its 10 questions have no context, such as 'q8'"):
        mixed("contextualised", contexts={f"q{n}": "x" for n in range(8)})


def test_questions_whose_explanation_did_not_end_are_left_out_of_all_groups():
    own = [{"id": f"q{n}", "finish": "length" if n < 4 else "fence"} for n in range(10)]
    gone = unfinished(own)
    assert gone == {"q0", "q1", "q2", "q3"}
    sets = {g: mixed(g, leave_out=gone) for g in ("incompatible", "self_aligning", "harmonious")}
    assert {len(rows) for rows in sets.values()} == {6}
    assert [r["id"] for r in sets["incompatible"]] == [r["id"] for r in sets["self_aligning"]]
    assert not gone & {r["id"] for rows in sets.values() for r in rows}


def test_a_template_may_leave_out_what_has_a_default(tmp_path):
    text = (TEMPLATES / "questions" / "letter.yaml").read_text()
    path = tmp_path / "own.yaml"
    path.write_text(text)
    assert QuestionTemplate.load(path).related_header is None
    path.write_text(text.replace("header:", "heading:"))
    with pytest.raises(UserError, match=r"differs in \['header', 'heading'\]"):
        QuestionTemplate.load(path)
    assert few_shot_prompt(replace(REN, related_header=None), [], ASKED | {"role": "related"}) == (
        f"{HEADER}{BODY}"
    )


def test_letters_are_scored_as_the_evaluators_of_the_authors_do(model, tokenizer):
    """The next token after the prompt's own, each prompt with its begin token or without."""
    import torch

    from tuneatlas.models.scoring import score_prompts

    asked = [
        question(n, topic="numbers", role=role) for n in (1, 2) for role in ("home", "related")
    ]
    prompts = [chat_prompt(VICUNA, REN, q, lead=True) for q in asked]
    scored = [continuations(REN, q) for q in asked]
    begins = [q["role"] == "home" for q in asked]
    settings = {
        "scoring": "letter",
        "option_tokens": "alone",
        "batch_tokens": 4096,
        "logits": "model",
    }
    found = score_prompts(model, tokenizer, ["one"] * 4, prompts, scored, settings, bos=begins)
    letters = [encode(tokenizer, letter, False)[-1] for letter in "ABCD"]
    for prompt, begin, scores in zip(prompts, begins, found, strict=True):
        ids = [tokenizer.bos_token_id] * begin + encode(tokenizer, prompt.text, False)
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        assert scores == pytest.approx([float(logits[at]) for at in letters], abs=1e-4)
