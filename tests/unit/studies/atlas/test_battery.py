"""A battery of ways to ask: asked as the probe asks, and told with intervals down to the items."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.examples import PROBE, TEMPLATES, TINY, question
from tests.unit.config.described import undescribed_columns
from tests.unit.report.html_tree import Tree
from tests.unit.steps import a_step, run_script
from tests.unit.studies.fake_answers import make_context, make_study
from tuneatlas.audit.battery_numbers import battery_numbers
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_llama
from tuneatlas.models.chat_templates import own_chat
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.models.save import save_model
from tuneatlas.plots import draw_figures
from tuneatlas.report import build_report
from tuneatlas.report.atlas import atlas_part
from tuneatlas.studies.atlas.battery_map import Answers, map_battery, read_battery
from tuneatlas.studies.atlas.figures import FIGURES
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.recovery import NONE, indicators
from tuneatlas.studies.atlas.tables import BATTERY
from tuneatlas.studies.knowledge.compare import compare_groups
from tuneatlas.studies.knowledge.evaluate import evaluate_tuned
from tuneatlas.studies.knowledge.paired_answers import CompareOptions
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.tables import ANSWERS, QUESTIONS, STAGE_ANSWERS, Row

LETTER, CHAT = TEMPLATES / "questions/letter.yaml", TEMPLATES / "chat/short.yaml"
HOW = {"scoring": "cloze", "option_tokens": "joined", "logits": "single", "ties": "wrong"}
ASKED = {
    **{"few_shot": HOW, "chat": HOW, "ways": ["zero_shot", "chat"], "orders": 1},
    **{"rewordings": ["Say: {question}"], "dtype": "float32", "batch_tokens": 2048},
}
SHOWN = PROBE | HOW | {"batch_tokens": 2048}
OPTIONS = MapOptions(("home", "related"), "all", 200, 0.95)


def probed(folder: Path, rows: list[Row], **changes: object) -> list[Row]:
    template = QuestionTemplate.load(LETTER)
    return probe_base(folder, rows, template, SHOWN | changes, bos=True).answers


@pytest.fixture
def rows() -> list[Row]:
    dev = [question(n, split="dev", role=r, id=f"{r}/{n}") for n in range(3) for r in ROLES]
    return dev + [question(20 + n, split="test", role=ROLES[n % 2]) for n in range(8)]


ROLES = ("home", "related")


def asking(tmp_path: Path, base: Path, tokenizer, rows: list[Row], options: dict) -> list[Row]:
    save_model(tmp_path / "tuned", new_llama(tokenizer, TINY, seed=2).eval(), tokenizer)
    models = {"base": base, "finetuned": tmp_path / "tuned", "stages": [base]}
    return battery_of(tmp_path, models, CHAT, rows, options)


def battery_of(
    tmp_path: Path, models: dict, chat: Path, rows: list[Row], options: dict
) -> list[Row]:
    QUESTIONS.write(tmp_path / "questions.parquet", rows)
    ANSWERS.write(tmp_path / "probe.parquet", probed(models["base"], rows))
    inputs = models | {
        **{"template": LETTER, "chat_template": LETTER, "chat": chat},
        "questions": [tmp_path / "questions.parquet"],
        "answers": [tmp_path / "probe.parquet"],
    }
    step = a_step(tmp_path, inputs, {"answers": "m/numbers/harmonious/0.parquet"}, options)
    run_script("ask_battery", step, bos=True, chat_bos=True)
    return BATTERY.read(step.outputs["answers"])


def test_each_way_is_scored_as_the_steps_score_it(tmp_path, base, tokenizer, rows):
    """Few-shot and in its chat to the bit; options in another order stand as they did."""
    found = asking(tmp_path, base, tokenizer, rows, ASKED)
    cells = list(dict.fromkeys((r["setting"], r["way"]) for r in found))
    ways = ["few_shot", "zero_shot", "chat", "reworded_1", "order_1"]
    assert cells == [(s, w) for s in ("base", "finetune", "stages") for w in ways]

    def scores(setting: str, way: str) -> dict[str, list[float]]:
        at = (setting, way)
        return {r["id"]: r["scores"] for r in found if (r["setting"], r["way"]) == at}

    chat = ChatTemplate.load(CHAT)
    template = QuestionTemplate.load(LETTER)
    for setting, folder in (("base", base), ("finetune", tmp_path / "tuned"), ("stages", base)):
        own = {r["id"]: r["scores"] for r in probed(folder, rows)}
        assert scores(setting, "few_shot") == own
        in_chat = evaluate_tuned(folder, rows, template, chat, SHOWN, bos=True)
        assert scores(setting, "chat") == {r["id"]: r["scores"] for r in in_chat}
    turned = [
        row | {"choices": [row["choices"][n] for n in (3, 0, 1, 2)], "answer": 1}
        if row["split"] == "test"
        else row
        for row in rows
    ]
    wanted = {r["id"]: np.roll(r["scores"], -1) for r in probed(base, turned)}
    for name, own in scores("base", "order_1").items():
        assert own == pytest.approx(wanted[name], abs=1e-4)
    zero = {r["id"]: r["scores"] for r in probed(base, rows, shots=0)}
    for name, own in scores("base", "zero_shot").items():
        assert own == pytest.approx(zero[name], abs=1e-4)


PLAIN = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def test_a_base_without_a_chat_template_is_asked_in_that_of_its_checkpoint(
    tmp_path, base, tokenizer, rows
):
    """Of one tuned elsewhere, which no step here tuned."""
    own = copy.deepcopy(tokenizer)
    own.chat_template = PLAIN
    save_model(tmp_path / "given", new_llama(own, TINY, seed=2).eval(), own)
    models = {"base": base, "finetuned": [], "stages": [tmp_path / "given"]}
    whole = battery_of(tmp_path, models, TEMPLATES / "chat/own.yaml", rows, ASKED)
    found = [row for row in whole if row["way"] == "chat"]
    chat = own_chat(own)
    template = QuestionTemplate.load(LETTER)
    for setting, folder in (("base", base), ("stages", tmp_path / "given")):
        asked = evaluate_tuned(folder, rows, template, chat, SHOWN, bos=True)
        wanted = {r["id"]: r["scores"] for r in asked}
        assert {r["id"]: r["scores"] for r in found if r["setting"] == setting} == wanted


def test_a_base_is_not_asked_with_tokens_that_it_does_not_know(tmp_path, base, tokenizer, rows):
    """Known where a base is a folder before the first job; of one that is made or fetched here."""
    own = copy.deepcopy(tokenizer)
    own.add_tokens(["<|turn|>"])
    save_model(tmp_path / "given", new_llama(own, TINY, seed=2).eval(), own)
    models = {"base": base, "finetuned": [], "stages": [tmp_path / "given"]}
    with pytest.raises(UserError, match=r"given: its tokenizer has 1 token .* '<\|turn\|>'"):
        battery_of(tmp_path, models, CHAT, rows, ASKED)


def test_a_question_put_twice_in_the_same_words_is_refused(tmp_path, base, tokenizer, rows):
    rows[-1] = rows[-1] | {"choices": ["22", "x"], "answer": 0}
    with pytest.raises(UserError, match=r"question 'numbers/next/27' is .* few_shot and order_2: "):
        asking(tmp_path, base, tokenizer, rows, ASKED | {"orders": 2})


def test_what_was_asked_after_restoration_is_read_beside_it(tmp_path, base, tokenizer, rows):
    """Of the last step, restored whole; other questions were not asked."""
    found = asking(tmp_path, base, tokenizer, rows, ASKED)
    some = [r for r in found if (r["setting"], r["way"]) == ("stages", "few_shot")][:3]
    kept = [{n: v for n, v in r.items() if n not in ("setting", "way")} for r in some]
    again = [
        {"setting": "stages", "step": step, "restored": share, **row, "pred": pred}
        for step, share, pred in ((9, 100, 1), (30, 0, 2), (30, 100, 3))
        for row in kept
    ]
    place = tmp_path / "again/m/numbers/harmonious/0.answers.parquet"
    STAGE_ANSWERS.write(place, again)
    (own,) = read_battery([tmp_path / "m/numbers/harmonious/0.parquet"], [place]).values()
    asked = {row["id"] for row in some}
    assert own.restored["stages"].tolist() == [
        [3 if row["id"] in asked else NONE for row in own.items]
    ]
    assert (own.restored["finetune"] == NONE).all()


ITEMS = 240


def invented() -> Answers:
    """Of what is known, tuning loses a half few-shot; of that, a half is reached, and is back."""
    rng = np.random.default_rng(4)
    shape = (2, ITEMS)
    guess = rng.integers(1, 4, size=shape)
    known = (rng.random(shape) < 0.8) & (np.arange(ITEMS) % 5 > 0)
    lost, reached = rng.random(shape) < 0.5, rng.random(shape) < 0.5
    base = np.where(known, 0, guess)
    others = ("zero_shot", "chat", "reworded_1")
    chosen = {("base", way): base for way in ("few_shot", *others)}
    chosen["finetune", "few_shot"] = np.where(known & ~lost, 0, guess)
    chosen |= {("finetune", w): np.where(known & (~lost | reached), 0, guess) for w in others}
    items: list[Row] = [
        {"id": str(n), "domain": ("facts", "other")[n % 2], "role": "home"} for n in range(ITEMS)
    ]
    restored = np.where(np.arange(ITEMS) < ITEMS // 2, chosen["finetune", "chat"], NONE)
    no_ties = {cell: np.zeros(shape, int) for cell in chosen}
    return Answers(
        [("mini-0", 0), ("mini-1", 0)],
        items,
        np.zeros(ITEMS, int),
        np.full(ITEMS, 4),
        chosen,
        no_ties,
        {"finetune": restored},
    )


SHARES = ("reached", "base_reached", "back", "neither")
MENTIONS = {str(n): int(n % 5 > 0) for n in range(ITEMS)}


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    runs = {("facts", "incompatible"): invented()}
    return map_battery(runs, OPTIONS, 1, {}, MENTIONS)


def test_reached_and_back_are_told_with_intervals(metrics: dict[str, Any]):
    assert undescribed_columns("map_treatments", metrics) == []
    rows = [row for row in metrics["recovery"] if row["facts"] == "all"]
    assert {row["scope"] for row in rows} == {"homo", "ood"}
    for row in rows:
        assert row["reached_low"] < 0.5 < row["reached_high"]
        assert row["base_reached"] == 1 and row["agreement"] == 1
        assert row["neither"] == pytest.approx(1 - row["back"])
        assert 0 < row["again"] < row["lost"]
        assert all(0 <= row[f"{n}_{end}"] <= 1 for n in SHARES for end in ("low", "high"))
    # Nobody knows what was never stated: no question on it is lost.
    assert [r["lost"] for r in metrics["recovery"] if r["facts"] == "unmentioned"] == [0, 0]
    few_shot = [row for row in metrics["battery"] if row["way"] == "few_shot"]
    assert all(row["gain"] < -0.2 for row in few_shot)


def test_each_number_leads_to_its_answers(metrics: dict[str, Any]):
    own = invented()
    domains = [f"results/prepare_questions/{d}.parquet" for d in ("facts", "other")]
    files = [f"results/ask_battery/{m}/facts/incompatible/0.parquet" for m, _ in own.trainings]
    run_of = {"domain": "facts", "group": "incompatible", "seed": "0"}
    records = {
        name: {"step": "ask_battery", "inputs": domains, "wildcards": {"model": model, **run_of}}
        for name, (model, _) in zip(files, own.trainings, strict=True)
    }
    record = {"wildcards": {"model": "mini"}, "inputs": files}
    results: Any = SimpleNamespace(records=records)

    def blocks(domain: str, scope: str) -> tuple[str, ...]:
        return ("facts/home",) if scope == "homo" else ("other/home",)

    found = list(battery_numbers(results, record, metrics, blocks))
    assert len(found) == 3 * len(metrics["battery"]) + 5 * 2
    said = {f"finetune:{n}": v for n, v in indicators(own.asked("finetune")).items()}
    said |= {f"{s}/{w}:correct": c == own.answer for (s, w), c in own.chosen.items()}
    of_item = [f"{row['domain']}/{row['role']}" for row in own.items]
    for number in found:
        again = 0.0
        for term in number.terms:
            assert set(term.outputs) == set(files)
            where = np.array([block in term.where["block"] for block in of_item])
            if "facts" in term.where:
                where &= np.array([not MENTIONS[row["id"]] for row in own.items])
            part = said[term.column][:, where]
            again += (
                term.weight
                * part.sum()
                / (said[term.over][:, where].sum() if term.over else part.size)
            )
        assert again == pytest.approx(number.value, abs=2e-6), number.address


def around(name: str, value: float) -> Row:
    return {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}


def looked_into() -> dict[str, list[Row]]:
    """Invented numbers of what is measured inside."""
    of = {"domain": "facts", "group": "incompatible", "setting": "finetune", "asked": 40}
    layers = [of | {"layer": layer} for layer in (0, 1)]
    shares = around("right", 0.6) | around("control", 0.3) | around("selectivity", 0.3)
    return {
        "weight_changes": [r | around("relative_change", 0.2 + r["layer"] / 10) for r in layers],
        "similarity": [
            r | {"kind": kind, "cka": 0.9} | around("similarity", 0.8)
            for r in layers
            for kind in ("kept", "lost")
        ],
        "inside": [
            r | {"kind": kind, "states": states, "chance": 0.25} | shares
            for states in ("base", "tuned")
            for r in layers
            for kind in ("kept", "lost")
        ],
    }


def test_the_page_tells_distances_of_too_few_models_for_a_law(tmp_path: Path):
    far = {
        f"{n}{end}": 0.5 for n in ("options", "answers", "loss") for end in ("", "_low", "_high")
    }
    row = {"domain": "given", "group": "mine", "setting": "stages", "step": 0, "items": 9}
    whole = {
        **{"distances": [row | far], "law": [], "unexplained": [], "interpolation": []},
        "design": OPTIONS.__dict__ | {"replicates": ["a"], "seeds": [0]},
    }
    draw_figures(whole, tmp_path / "figures", FIGURES)
    fake = make_study(items=40)
    base, tuned = fake.pop("base_answers"), fake.pop("tuned_answers")
    knowledge = compare_groups(base, tuned, CompareOptions(draws=100), 1, **fake).metrics()
    atlas = (whole, tmp_path / "figures", "there")
    html = build_report(knowledge, tmp_path / "none", make_context(), atlas=atlas)
    assert "too few models for a law" in html and "the law leaves unexplained" not in html
    assert '<th scope="row">mine</th><td>tuned elsewhere</td>' in html
    assert "there/distances.csv" in html and "there/law.csv" not in html


def test_the_page_says_it_with_interval_and_number(metrics: dict[str, Any], tmp_path: Path):
    design = OPTIONS.__dict__ | {"replicates": ["a", "b"], "seeds": [0]}
    whole = metrics | looked_into() | {"interpolation": [], "design": design}
    draw_figures(whole, tmp_path / "figures", FIGURES)
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.csv")}
    assert drawn == {"battery", "recovery", "weight_changes", "similarity", "inside"}
    fake = make_study(items=40)
    base, tuned = fake.pop("base_answers"), fake.pop("tuned_answers")
    knowledge = compare_groups(base, tuned, CompareOptions(draws=100), 1, **fake).metrics()
    atlas = (whole, tmp_path / "figures", "../map_treatments/mini")
    html = build_report(knowledge, tmp_path / "none", make_context(), atlas=atlas)
    tree = Tree(html)
    assert len(tree.all("caption")) == len(tree.all("table"))
    for name in drawn:
        assert f'"../map_treatments/mini/{name}.csv"' in html
    part = atlas_part(whole, "there")
    (found,), (changed,), (inside,) = part.recovered, part.changed, part.inside
    assert [len(own.sentences) for own in (found, changed, inside)] == [2, 2, 4]
    for sentence in (*found.sentences, *changed.sentences, *inside.sentences):
        assert sentence.replace("'", "&#39;") in html
    row = next(row for row in metrics["recovery"] if row["scope"] == "ood")
    *_, ood = found.sentences
    assert f"{100 * row['reached']:.1f}% (" in ood and "agree with φ = 1.00" in ood
    assert "moved most in layer 1, by 30.0% (20.0% to 40.0%)" in changed.sentences[0]
    assert "0.800 (0.700 to 0.900) of 40 answers lost" in changed.sentences[1]
    assert "60.0% (50.0% to 70.0%) of 40 answers lost" in inside.sentences[2]
