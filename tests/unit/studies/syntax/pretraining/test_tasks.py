"""The tasks of pre-training: each example is right by a checker of its own."""

import contextlib
import random
import re
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from tests.unit.studies.syntax.checkers import CHECKS
from tests.unit.studies.syntax.random_trees import any_parse, any_tree, random_tree
from tuneatlas.errors import UserError
from tuneatlas.studies.syntax.pretraining import denoising, structure_tasks, tasks
from tuneatlas.studies.syntax.pretraining.build import STAGES, split_trees, tasks_of
from tuneatlas.studies.syntax.pretraining.plain_tasks import PLAIN_TASKS
from tuneatlas.studies.syntax.pretraining.structure_tasks import STRUCTURE_TASKS
from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS
from tuneatlas.studies.syntax.pretraining.tasks import Setting, Text
from tuneatlas.studies.syntax.trees.linear import FORMS, read_bracket, write_bracket
from tuneatlas.studies.syntax.trees.trees import Tree, nodes, size

ALL = STRUCTURE_TASKS | SYNTAX_TASKS | PLAIN_TASKS
TREE = read_bracket("(ROOT (S (NP (DT the) (NN cat)) (VP (VBD sat) (PP (IN on) (NP (NN it))))))")
# The worked example of the released code.
TOM = read_bracket(
    "(ROOT (S (NP (NNP Tom)) (VP (VBZ sells) (NP (NP (DT the) (NN tea)) (PP (IN of) (NNP Ann))))))"
)
BARE = read_bracket("(<node_7> (<node_3> <node_9>) (<node_1> (<node_4> <node_2>)))")
T = write_bracket(BARE)
W, SAID = write_bracket(TOM), "Tom sells the tea of Ann"
CUT = "(ROOT (S (NP (NNP Tom)) (VP (VBZ sells) (NP (NP the tea) (PP of Ann)))))"


def pieces(text):
    """Like those of T5: an opening bracket with its space, what stands in brackets, a closing."""
    return re.findall(r" ?\(| ?[^() ]+|\)", text)


SETTING = Setting(pieces=pieces)


@pytest.mark.parametrize("name", ALL)
def test_random_trees_pass_the_checker(name):
    rng = random.Random(name)
    built = 0
    for number in range(500):
        tree = random_tree(rng, 1 + number % 4)
        form = FORMS[("bracket", "slash")[number % 2]]
        text = ALL[name].build(tree, rng, Setting(form, pieces))
        if text:
            built += 1
            assert CHECKS[name](tree, text, form), (tree, text)
    assert built > 400


@pytest.mark.parametrize(
    ("chosen", "form", "digest"),
    [
        (STRUCTURE_TASKS, "bracket", "1b45ab0059b211bc"),
        (STRUCTURE_TASKS, "slash", "781bcead6f8062ff"),
        (STRUCTURE_TASKS, "path", "b10acbae7ebf1ec5"),
        (SYNTAX_TASKS, "bracket", "132e9f586c515512"),
        (PLAIN_TASKS, "bracket", "3aedc0b8a32f80d2"),
    ],
)
def test_examples_and_draws_stay_what_they_were(chosen, form, digest):
    """So that a model pre-trained before an edit of the tasks is that of after it."""
    rng = random.Random(11)
    trees = [write_bracket(random_tree(rng, 1 + number % 5)) for number in range(1_000)]
    found = list(tasks.draw_examples(trees, chosen, rng, Setting(FORMS[form], pieces)))
    assert sha256(repr(found).encode()).hexdigest()[:16] == digest


@settings(max_examples=200, deadline=None)
@given(
    any_parse, st.sampled_from(sorted(STRUCTURE_TASKS)), st.sampled_from([*FORMS]), st.integers(0)
)
def test_parses_with_any_names_pass_the_checker_of_stage_1_in_any_form(tree, name, form, seed):
    if text := ALL[name].build(tree, random.Random(seed), Setting(FORMS[form], pieces)):
        assert CHECKS[name](tree, text, FORMS[form])


@settings(max_examples=200, deadline=None)
@given(any_tree, st.sampled_from(sorted({*STRUCTURE_TASKS, *SYNTAX_TASKS})), st.integers(0, 99))
def test_any_tree_passes_the_checker(tree, name, seed):
    """Names of any characters, words beside phrases, nodes without any."""
    if name in ("treeposition_indexing", "tree_forming", "node_deleting", "height_selection"):
        # A node without words looks like one when it has no name of its own.
        tree = tree._replace(children=(*tree.children, "word"))
    if text := ALL[name].build(tree, random.Random(seed), SETTING):
        plain = not any(not n.children for _, n in nodes(tree))
        # The texts of these are parted by words that a name may be.
        loose = name.startswith("constituency") or not plain
        with contextlib.suppress(*([AssertionError, StopIteration] if loose else [])):
            assert loose or CHECKS[name](tree, text, FORMS["bracket"])


@pytest.mark.parametrize("name", ALL)
def test_checkers_see_a_wrong_target(name):
    rng = random.Random(name)
    texts = [ALL[name].build(TREE, rng, SETTING) for _ in range(60)]
    targets = [text.target for text in texts if text]
    wrong = {"True": "False", "False": "True"}
    for text in texts:
        other = wrong.get(text.target) or next((t for t in targets if t != text.target), "(X y)")
        with contextlib.suppress(UserError, ValueError, AssertionError):  # refused outright
            assert not CHECKS[name](TREE, Text(text.input, other), FORMS["bracket"])


def named(monkeypatch):
    """Let trees keep their names, which in the worked examples are given."""
    monkeypatch.setattr(structure_tasks, "anonymise", lambda tree, rng: tree)


def drawn(name, tree, times=400):
    rng = random.Random(7)
    return {ALL[name].build(tree, rng, SETTING) for _ in range(times)} - {None}


def test_the_worked_examples_of_stage_1(monkeypatch):
    named(monkeypatch)
    assert Text(f"treeposition indexing position: 2 1 tree: {T}", "<node_4>") in drawn(
        "treeposition_indexing", BARE
    )
    assert drawn("tree_forming", BARE, 1) == {
        Text(
            "tree forming: <node_7> -> <node_3> <node_1> <sep> <node_3> -> <node_9> <sep> "
            "<node_1> -> <node_4> <sep> <node_4> -> <node_2>",
            T,
        )
    }
    assert Text(
        f"node deleting position: 2, 1 node: <node_4> tree: {T}",
        "(<node_7> (<node_3> <node_9>) (<node_1> <node_2>))",
    ) in drawn("node_deleting", BARE)
    assert Text(f"height selection height: 1 tree: {T}", "<node_3> <node_1>") in drawn(
        "height_selection", BARE
    )
    assert drawn("tree_interpreting", BARE, 1) == {
        Text(
            f"tree interpreting: {T}",
            "(<node_7><H_1><S_1><none> (<node_3><H_2><S_1><node_7> <node_9>) "
            "(<node_1><H_2><S_2><node_7> (<node_4><H_3><S_1><node_1> <node_2>)))",
        )
    }


def test_the_worked_examples_of_stage_2():
    assert drawn("pos_tagging", TOM, 1) == {
        Text(f"pos tagging: {SAID}", "Tom NNP sells VBZ the DT tea NN of IN Ann NNP")
    }
    assert drawn("tree_pruning", TOM, 1) == {Text(f"tree pruning: {W}", CUT)}
    assert drawn("pruned_tree_completion", TOM, 1) == {Text(f"pruned tree completion: {CUT}", W)}
    assert drawn("pruned_tree_parse", TOM, 1) == {Text(f"pruned tree parse: {SAID}", CUT)}
    assert drawn("production_detection", TOM, 1) == {
        Text(
            f"production detection: {W}",
            "ROOT -> S <sep> S -> NP VP <sep> NP -> NNP <sep> VP -> VBZ NP <sep> NP -> NP PP "
            "<sep> NP -> DT NN <sep> PP -> IN NNP",
        )
    }
    # NP alone is there twice.
    assert drawn("constituency_searching", TOM) == {
        Text(
            f"constituency searching node: NP sentence: {SAID}",
            "Tom <sep> the tea of Ann <sep> the tea",
        )
    }
    asked = "constituency discrimination node: {} span: {} sentence: " + SAID
    found = drawn("constituency_discrimination", TOM, 2000)
    assert Text(asked.format("VP", "sells the tea of Ann"), "True") in found
    # Moved, a span is clipped at the ends: it may be shorter, empty, or true by chance.
    assert Text(asked.format("VP", "of Ann"), "False") in found
    assert Text(asked.format("NP", ""), "False") in found
    assert Text(asked.format("S", "sells the tea of Ann"), "False") in found


def test_denoising_of_the_worked_example():
    def masked(kind, spans):
        return denoising.mask(pieces("(NP (DT the) (NN tea))"), spans, closed=kind == "intra")

    text = masked("intra", [(3, 5), (7, 9)])
    assert text == Text(
        "(NP (<extra_id_0>) (<extra_id_1>))",
        "<extra_id_0>DT the<extra_id_1>NN tea<extra_id_2>",
    )
    text = masked("inter", [(2, 2), (4, 6)])
    assert text == Text(
        "(NP<extra_id_0> (DT<extra_id_1> (NN tea))", "<extra_id_0><extra_id_1> the)"
    )
    assert denoising.unmask(text) == "(NP (DT the) (NN tea))"


@pytest.mark.parametrize("stage", [STRUCTURE_TASKS, SYNTAX_TASKS])
def test_tasks_are_drawn_by_their_weights(stage):
    rng = random.Random(11)
    trees = [write_bracket(random_tree(rng, 2)) for _ in range(300)] * 33
    found = list(tasks.draw_examples(trees, stage, rng, SETTING))
    assert len(found) > 9_000
    counts = Counter(name for _, name, _ in found)
    total = sum(task.weight for task in stage.values())
    expected = [len(found) * task.weight / total for task in stage.values()]
    assert chisquare([counts[name] for name in stage], expected).pvalue > 0.001


def test_the_papers_proportions():
    assert [t.weight for t in STRUCTURE_TASKS.values()] == [2, 1, 1, 1, 2]
    total = sum(t.weight for t in SYNTAX_TASKS.values())
    denoise = [t.weight for n, t in SYNTAX_TASKS.items() if n.startswith("denoise")]
    assert len(SYNTAX_TASKS) == 11
    assert denoise == [0.15 * total] * 4
    assert {t.weight for n, t in SYNTAX_TASKS.items() if "denoise" not in n} == {total * 0.4 / 7}


def law(name, pattern, expected, tree=BARE, times=10_000):
    """Whether what ``pattern`` finds in the input comes as often as is stated."""
    rng = random.Random(3)
    found = Counter()
    for _ in range(times):
        text = ALL[name].build(tree, rng, SETTING)
        found[re.search(pattern, text.input)[1]] += 1
    total = sum(expected.values())
    assert set(found) == set(expected)
    wanted = [times * weight / total for weight in expected.values()]
    assert chisquare([found[key] for key in expected], wanted).pvalue > 0.001


def test_nodes_depths_labels_and_spans_are_drawn_as_stated():
    # By the length of the path, so never the root.
    ways = {"1": 1, "1 1": 2, "2": 1, "2 1": 2, "2 1 1": 3}
    law("treeposition_indexing", "position: (.*?) tree", ways)
    # All nodes but the root and words.
    law("node_deleting", "position: (.*?) node", {"1": 1, "2": 1, "2, 1": 1})
    # The depth of any node or word, of seven: one root, two beneath it, and so on.
    law("height_selection", "height: (.*?) tree", {"0": 1, "1": 2, "2": 2, "3": 1})
    # As often as a label occurs; of those that occur twice, if any does.
    labels = {"ROOT": 1, "S": 1, "NP": 3, "VP": 1, "PP": 1}
    law("constituency_discrimination", "node: (.*?) span", labels, TOM)
    twice = read_bracket("(S (NP (NP (X a)) (NP (X b))) (VP (PP (X c)) (PP (X d))))")
    law("constituency_searching", "node: (.*?) sentence", {"NP": 3, "PP": 2}, twice)
    none = read_bracket("(S (NP (X a)) (VP (X b)))")
    law("constituency_searching", "node: (.*?) sentence", {"S": 1, "NP": 1, "VP": 1}, none)


def test_spans_are_moved_by_one_to_three_words_either_way():
    flat = read_bracket(f"(S {' '.join(f'(A (X w{n}))' for n in range(9))})")
    tree = flat._replace(
        children=tuple(
            Tree("B", child.children) if n == 4 else child for n, child in enumerate(flat.children)
        )
    )
    rng = random.Random(5)
    found = Counter()
    for _ in range(20_000):
        text = ALL["constituency_discrimination"].build(tree, rng, SETTING)
        if "node: B " in text.input:
            found[re.search("span: (.*?) sentence", text.input)[1], text.target] += 1
    moved = [("w1", "False"), ("w2", "False"), ("w3", "False")]
    moved += [("w5", "False"), ("w6", "False"), ("w7", "False")]
    expected = {("w4", "True"): 6, **dict.fromkeys(moved, 1)}
    assert set(found) == set(expected)
    total = found.total()
    wanted = [total * weight / 12 for weight in expected.values()]
    assert chisquare([found[key] for key in expected], wanted).pvalue > 0.001


def test_anonymous_trees_have_shuffled_names_that_come_again_after_a_hundred():
    rng = random.Random(4)
    bare = structure_tasks.anonymise(TREE, rng)
    names = [name for _, name in structure_tasks.places(bare)]
    assert len(set(names)) == size(TREE)
    assert bare != structure_tasks.anonymise(TREE, rng)
    large = structure_tasks.anonymise(Tree("S", ("a",) * 149), rng)
    names = [name for _, name in structure_tasks.places(large)]
    assert sorted(names[:100]) == sorted(f"<node_{i}>" for i in range(100))
    assert names[100:] == names[:50]


def test_depths_beyond_forty_are_written_too():
    tree = Tree("S", ("a",))
    for _ in range(44):
        tree = Tree("S", (tree,))
    assert "<H_45><S_1>S a)" in structure_tasks.interpret(tree)
    assert structure_tasks.read_interpretation(structure_tasks.interpret(tree)) == tree
    with pytest.raises(ValueError, match="depth 2"):
        structure_tasks.read_interpretation("(S<H_1><S_1><none> (T<H_3><S_1>S a))")


def test_denoising_masks_as_many_pieces_as_it_says():
    rng = random.Random(5)
    masked, total, empty, starts = Counter(), Counter(), 0, 0
    for _ in range(600):
        found = pieces(write_bracket(random_tree(rng, 6)))
        for level, rate in denoising.RATES.items():
            inside = denoising.intra_spans(found, rate, rng)
            assert not any(found[i].strip() in "()" for a, b in inside for i in range(a, b))
            across = denoising.inter_spans(found, rate, rng)
            assert across == sorted(across)
            masked[level, "intra"] += sum(b - a for a, b in inside)
            masked[level, "inter"] += sum(b - a for a, b in across)
            total[level, "intra"] += sum(p.strip() not in "()" for p in found)
            total[level, "inter"] += len(found)
            empty += sum(a == b for a, b in across)
            starts += rate / denoising.MEAN_SPAN * len(found)
    wanted = {("low", "intra"): 0.15, ("high", "intra"): 0.30}
    wanted |= {("low", "inter"): 0.14, ("high", "inter"): 0.26}
    for key, share in wanted.items():
        assert masked[key] / total[key] == pytest.approx(share, abs=0.01), key
    # Poisson(3) gives an empty span one time in twenty; some are overwritten.
    assert 0.03 < empty / starts < 0.055


def test_pieces_of_intra_are_masked_independently():
    """The number of pieces masked has the variance of that many draws: no fixed share."""
    rng = random.Random(8)
    found = [
        sum(b - a for a, b in denoising.intra_spans(["x"] * 60, 0.3, rng)) for _ in range(5000)
    ]
    mean = sum(found) / len(found)
    spread = sum((n - mean) ** 2 for n in found) / len(found)
    assert spread == pytest.approx(60 * 0.3 * 0.7, rel=0.08)


def test_spans_touch_overwrite_and_end_with_the_sentinels():
    many = ["x"] * 2000
    rng = random.Random(1)
    text = SYNTAX_TASKS["denoise_high_inter"].build(Tree("S", tuple(many)), rng, SETTING)
    assert "<extra_id_99>" in text.target and "<extra_id_100>" not in text.input + text.target
    assert SYNTAX_TASKS["denoise_high_intra"].build(Tree("S", tuple(many)), rng, SETTING) is None


def test_masks_make_a_run_shorter_unless_it_is_filled_again():
    rng = random.Random(2)
    trees = [write_bracket(random_tree(rng, 2)) for _ in range(200)] * 10
    shares = {}
    for name, without in (
        ("no_unsupervised", [n for n in SYNTAX_TASKS if n.startswith("denoise")]),
        ("no_auxiliary", ["tree_pruning", "pruned_tree_completion", "production_detection"]),
    ):
        left = [task for task in SYNTAX_TASKS if task not in without]
        chosen, kept = tasks_of("syntax", {"syntax_tasks": left, "refill": False})
        found = list(tasks.draw_examples(trees, chosen, rng, SETTING, kept))
        assert {task for _, task, _ in found} == set(left)
        shares[name] = len(found) / len(trees)
        chosen, kept = tasks_of("syntax", {"syntax_tasks": left, "refill": True})
        assert len(list(tasks.draw_examples(trees, chosen, rng, SETTING, kept))) > 1900
    assert shares["no_unsupervised"] == pytest.approx(0.40, abs=0.04)
    assert shares["no_auxiliary"] == pytest.approx(0.83, abs=0.04)


def test_trees_are_held_out_and_a_share_of_the_rest_is_used():
    ids = list(map(str, range(100)))
    heldout, train = split_trees(ids, 20, 0.5, random.Random(1))
    assert len(heldout) == 20 and len(train) == 40 and not {*heldout} & {*train}
    again, whole = split_trees(ids, 20, 1.0, random.Random(1))
    assert again == heldout and whole[:40] == train


def test_a_task_may_be_masked_out_but_not_misspelt():
    assert list(tasks.named_tasks(SYNTAX_TASKS, ["tree_pruning"])) == ["tree_pruning"]
    assert tasks.named_tasks(SYNTAX_TASKS, []) == STAGES["syntax"]
    with pytest.raises(UserError, match="no task 'tree_prunning'"):
        tasks.named_tasks(SYNTAX_TASKS, ["tree_prunning"])
