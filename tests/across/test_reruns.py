"""Which edit of the package reruns which steps: the table of docs/reruns.md, and what it rests on.

Print the table with: python tests/across/test_reruns.py
"""

import ast
import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest

from tests.examples import ROOT
from tuneatlas.engine.definitions import ALL, REFUSAL, UNKEPT, Module
from tuneatlas.engine.digest import FRAME, REAL, code_by
from tuneatlas.engine.effects import last
from tuneatlas.engine.reach import Key, Package, Uses, parsed
from tuneatlas.errors import UserError

DOCS = ROOT / "docs/reruns.md"
SCRIPTS = {path.stem: path for path in sorted((ROOT / "workflow/scripts").glob("*.py"))}
# Steps that make a model, by the study that is about it.
MODELS = {
    "knowledge": {"prepare_base", "prepare_checkpoint", "finetune"},
    "forgetting": {"prepare_base", "prepare_checkpoint", "finetune_stages"}
    | {f"restore_{what}" for what in ("base", "checkpoint", "stages")},
    "atlas": {"prepare_base", "prepare_checkpoint", "finetune_treatment", "reinforce_treatment"},
    "syntax": {"prepare_paraphraser", "finetune_paraphrase"}
    | {f"pretrain_{stage}" for stage in ("plain", "structure", "syntax")},
}
MODELS["shared"] = set.union(*MODELS.values())
MODELS["none"] = set()
# What is chosen, or rewarded, by texts that the model writes.
MODELS["writing"] = {"finetune_paraphrase", "reinforce_treatment"}


class Row(NamedTuple):
    """An edit: what is edited in which module, whose models may change for it, and how."""

    where: str
    models: str
    what: str = "code"


# A definition is named with the end of its module's name.
ROWS = [
    # What no output shows.
    Row("tables.Table", "none", "message"),
    Row("models.likelihoods._refuse_overlong", "none", "message"),
    Row("data.questions.check_questions", "none", "message"),
    Row("models.prompts.Template", "none", "message"),
    Row("models.load.open_config", "none", "message"),
    Row("models.load.vocabulary_problems", "none", "message"),
    Row("models.folder.format_problems", "none", "message"),
    Row("models.option_tokens.option_problem", "none", "message"),
    Row("models.tokenizer_checks.tokenizer_problems", "none", "message"),
    Row("data.text_files.read_lines", "none", "message"),
    Row("data.text_files.load_json", "none", "message"),
    Row("fitting.refuse_beyond", "none", "message"),
    Row("labels._remedy", "none", "message"),
    Row("chat_rendering._rendered", "none", "message"),
    Row("labels.refuse_unlearnable", "none", "message"),
    Row("launch.launch_command", "none", "message"),
    Row("sentences.pair_files.read_numbered", "none", "message"),
    Row("trees.parsers.Benepar", "none", "message"),
    Row("training.base._bring", "none", "message"),
    # But for the words that are kept with what could not be read.
    Row("trees.linear.read_bracket", "syntax", "words kept"),
    Row("attention.use_kernel", "none", "log"),
    Row("models.folder.tell_rounding", "none", "log"),
    Row("tables.Table", "none", "docstring"),
    Row("trainer.PackedTrainer", "none", "docstring"),
    Row("tables.Table", "none", "new schema"),
    Row("tables.Table", "none", "new function"),
    Row("data.text_files.read_lines", "none", "new function"),
    Row("statistics.divergence.kl_divergence", "none", "new function"),
    Row("trainer.train_here", "none", "new function"),
    Row("trees.trees.normalise", "none", "new function"),
    Row("engine.step.step", "none"),
    Row("engine.records.dump", "none"),
    Row("terminal.visible", "none"),
    Row("watch.Watch", "none"),
    Row("needs.need_of", "none", "new function"),
    # Knowledge.
    Row("facts.airports.AIRPORTS", "none"),
    Row("facts.counties._cities", "none"),
    Row("data.corpus.quiz_page", "none"),
    Row("data.domains._limited", "none"),
    Row("data.duplicates.find_repeated", "none"),
    Row("data.benchmark_questions._sciq", "none"),
    Row("data/mmlu.yaml", "none", "data"),
    Row("data/sources.yaml", "none", "data"),
    Row("data.sources.fetch_source", "none"),
    Row("knowledge.label.label_questions", "none"),
    Row("knowledge.mix.mix_instructions", "none"),
    Row("knowledge.explain.explain_prompt", "none"),
    Row("knowledge.robust.rotate", "none"),
    Row("models.scoring.softmax", "none"),
    Row("models.likelihoods._score_batch", "none"),
    Row("models.lm_head.exact_logits", "none"),
    Row("models.generation.set_generation", "writing"),
    Row("statistics.metrics.verdict", "none"),
    Row("knowledge.paired_answers.PairedAnswers", "none"),
    Row("data.scopes.scope_of", "none"),
    Row("statistics.divergence.kl_divergence", "none"),
    Row("statistics.bootstrap.resample_items", "none"),
    Row("plots.STYLE", "none"),
    Row("models.harness.evaluate_harness", "none"),
    # Forgetting.
    Row("forgetting.fates.find_transitions", "none"),
    Row("forgetting.compare.stage_forgetting", "none"),
    Row("forgetting.figures.STAGE_FIGURES", "none"),
    Row("forgetting.evaluate.windows", "none"),
    Row("forgetting.prepare.pick_questions", "none"),
    Row("forgetting.prepare.spend", "forgetting"),
    Row("forgetting.restore.curve_steps", "forgetting"),
    Row("forgetting.finetune.finetune_stages", "forgetting"),
    # Syntax.
    Row("trees.ted._distance", "none"),
    Row("paraphrasing.meteor.meteor", "none"),
    Row("paraphrasing.scores.text_scores", "none"),
    Row("pretraining.task_scores.bracket_f1", "none"),
    Row("paraphrasing.side_by_side.difference_rows", "none"),
    Row("trees.parsing.objection", "none"),
    Row("trees.java.run_java", "none"),
    Row("sentences.tatoeba.overlap", "none"),
    Row("sentences.pair_files.read_numbered", "none"),
    Row("paraphrasing.exemplars.paraphrase_rows", "none"),
    Row("pretraining.structure_tasks.anonymise", "none"),
    Row("pretraining.denoising.mask", "none"),
    Row("trees.linear.write_slash", "none"),
    Row("paraphrasing.formats.fill", "syntax"),
    Row("pretraining.vocabulary.NUMBERED", "syntax"),
    Row("syntax.beam_search.cut_inputs", "syntax"),
    Row("models.build.new_t5", "syntax"),
    Row("training.seq2seq.encode_pairs", "syntax"),
    # What numbers of several studies come from.
    Row("tables.ANSWERS", "none"),
    Row("tables.Table", "shared"),
    Row("data.text_files.read_table", "none"),
    Row("models.prompts.ChatTemplate", "shared"),
    Row("packing.pack", "shared"),
    Row("schedule.rate_share", "shared"),
    Row("lora.Adapters", "shared"),
    Row("trainer.PackedTrainer", "shared"),
    Row("models.save.save_model", "shared"),
    # What is read at the end.
    Row("report.wording.percent", "none"),
    Row("tree_drawing.draw_tree", "none", "new function"),
    Row("templates/page.html.jinja", "none", "data"),
    Row("assets/items.js", "none", "data"),
    Row("theme/base.css", "none", "data"),
    Row("audit.lineage.read_results", "none"),
]  # fmt: skip


def place(where: str) -> tuple[str, str]:
    """The one module whose name ends so and that defines it, and its name there."""
    end, _, name = where.rpartition(".")
    found = [m for m in all_modules() if f".{m}".endswith(f".{end}")]
    found = [m for m in found if name in REAL.module(m).statements]
    assert len(found) == 1, (where, found)
    return found[0], name


@cache
def all_modules() -> list[str]:
    paths = sorted(REAL.root.rglob("*.py"))
    parts = (path.relative_to(REAL.root).with_suffix("").parts for path in paths)
    return [".".join(("tuneatlas", *p)).removesuffix(".__init__") for p in parts]


@cache
def reached() -> dict[str, Uses]:
    return {step: REAL.reached(script) for step, script in scripts().items()}


@cache
def digests() -> dict[str, str]:
    return {step: digest(step, script) for step, script in scripts().items()}


def edited(row: Row) -> set[str]:
    """The steps whose digest changes."""
    if row.what == "data":
        (path,) = (p for p in REAL.data if str(p).endswith(f"/{row.where}"))
        return {step for step, uses in reached().items() if path in {p for _, p in uses.files}}
    module, name = place(row.where)
    tree = ast.parse(source(module))
    change(tree, name, row.what)
    package = copy.copy(REAL)
    new, old = Module(ast.unparse(tree), module), REAL.module(module)
    package._modules = REAL._modules | {module: new}
    package._named, package._done = {}, {}
    if meaning(new) == meaning(old):
        # Names stand for what they stood for, and importing it does what it did.
        package._named = {k: v for k, v in REAL._named.items() if k.module != module}
        package._done = dict(REAL._done)
    return {s for s, script in scripts().items() if digest(s, script, package) != digests()[s]}


def meaning(module: Module) -> object:
    """All that other modules see of it but the digests of its definitions."""
    names = [*module.statements]
    return module.imports, [replace(module.definition(n), sha256="") for n in names], names


@cache
def scripts() -> dict[str, Module]:
    return {step: parsed(path) for step, path in SCRIPTS.items()}


def digest(step: str, script: Module, package: Package = REAL) -> str:
    return code_by(step, script, package).digest


def source(module: str) -> str:
    base = REAL.root.joinpath(*module.split(".")[1:])
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    return path.read_text(encoding="utf-8")


def change(tree: ast.Module, name: str, what: str) -> None:
    if what == "new function":
        tree.body.append(ast.parse("def added(x: int) -> int:\n    return x + 1").body[0])
        return
    if what == "new schema":
        tree.body += ast.parse("ADDED = Table('added', 'Rows.', (Column('id', TEXT),))").body
        return
    (node,) = (n for n in tree.body if name in names_of(n))
    if what == "docstring":
        assert isinstance(node.body[0].value, ast.Constant)
        node.body[0].value.value += " And more."
    elif what in ("message", "log", "words kept"):
        said = [n for n in ast.walk(node) if isinstance(n, ast.Call) and is_said(n, what)]
        words = [n for call in said for n in ast.walk(call) if isinstance(n, ast.Constant)]
        words = [n for n in words if isinstance(n.value, str)]
        assert words, (name, "says nothing")
        for word in words:
            word.value += " more"
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        node.body += ast.parse("added = 1").body
    else:
        node.value = ast.Tuple([node.value, ast.Constant(1)], ast.Load())
    ast.fix_missing_locations(tree)


def names_of(node: ast.stmt) -> set[str]:
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {getattr(node, "name", "")} | {getattr(t, "id", "") for t in targets}


def is_said(call: ast.Call, what: str) -> bool:
    if what == "message":
        return last(call) in UNKEPT | {REFUSAL}
    if what == "words kept":
        return last(call) == "TreeError"
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "log"


def told(row: Row, steps: Iterable[str]) -> str:
    steps = sorted(steps)
    models = len(MODELS["shared"].intersection(steps))
    rest = sorted(SCRIPTS.keys() - steps)
    which = ", ".join(steps) if len(steps) <= 18 else f"all but {', '.join(rest)}"
    return f"| `{row.where}` | {row.what} | {len(steps)} | {models} | {which} |"


def table() -> Iterator[str]:
    yield "| definition edited | what in it | steps that rerun | of these, make a model | which |"
    yield "|---|---|---|---|---|"
    for row in ROWS:
        yield told(row, edited(row))


@pytest.fixture(scope="module")
def found() -> dict[Row, set[str]]:
    return {row: edited(row) for row in ROWS}


def test_the_table_of_reruns(found: dict[Row, set[str]]):
    shown = DOCS.read_text(encoding="utf-8").partition("<!-- Printed by")[2].splitlines()[2:]
    now = [told(row, steps) for row, steps in found.items()]
    assert shown[2:] == now, "print it again: python tests/across/test_reruns.py"
    assert len({row.where.rpartition(".")[0] for row in ROWS}) >= 40


def test_no_model_is_made_again_for_what_its_numbers_do_not_come_from(found):
    for row, steps in found.items():
        assert MODELS["shared"] & steps <= MODELS[row.models], row
        if row.what in ("message", "log", "docstring", "new function", "new schema"):
            # The audit's page goes through all schemas.
            assert steps <= ({"audit"} if row.where.startswith("tables.") else set()), row


def test_what_was_dear_is_cheap(found: dict[Row, set[str]]):
    by_name = {row.where: steps for row, steps in found.items() if row.what == "code"}
    scored = {"prepare_paraphrases", "score_paraphrases", "score_systems"}
    assert by_name["trees.ted._distance"] == scored
    assert by_name["facts.airports.AIRPORTS"] == {"prepare_corpus", "prepare_questions"}


def test_every_data_file_is_named_by_code():
    named = set()
    for name in all_modules():
        if not REAL.in_frame(name):
            named |= {path for _, path in REAL._named_by(Key(name, ALL)).files}
            for own in REAL.module(name).statements:
                named |= {path for _, path in REAL._named_by(Key(name, own)).files}
    assert set(REAL.data) == named


def definitions() -> Iterator[tuple[Key, ast.stmt]]:
    for key in sorted(set.union(*(set(uses.keys) for uses in reached().values()))):
        for statement in REAL.module(key.module).statements.get(key.name, ()):
            yield key, statement


def is_among(key: Key, names: Iterable[str]) -> bool:
    return any(f".{key.module}.{key.name}".endswith(f".{name}") for name in names)


def test_exceptions_whose_words_are_left_out_are_those_of_one_module():
    for name in UNKEPT | {REFUSAL}:
        assert [m for m in all_modules() if name in REAL.module(m).statements] == [
            UserError.__module__
        ]
        assert UserError.__module__ in FRAME


# Where the words of such an exception are handed on, to be raised again and to end the step.
HANDED_ON = {"processes.work"}


def keeps_words(handler: ast.ExceptHandler) -> bool:
    """Whether a handler may catch what ends a step, and do more than raise or log it."""
    caught = (
        {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)} if handler.type else set()
    )
    if not caught & {*UNKEPT, "Exception", "BaseException"} or handler.name is None:
        return False
    unheard: set[ast.AST] = set()
    for node in ast.walk(handler):
        match node:
            case ast.Raise(exc=ast.Call(func=func)) if last(func) in UNKEPT:
                unheard.update(ast.walk(node))
            case ast.Call() if last(node) in (REFUSAL, "isinstance", "type") or is_said(
                node, "log"
            ):
                unheard.update(ast.walk(node))
    names = (n for n in ast.walk(handler) if isinstance(n, ast.Name) and n.id == handler.name)
    return not unheard.issuperset(names)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("except UserError as e:\n    row = str(e)", True),
        ("except Exception as e:\n    row = e", True),
        ("except (OSError, TransientError) as e:\n    rows.append(f'{e}')", True),
        ("except UserError as e:\n    raise ValueError(str(e))", True),
        ("except UserError as e:\n    raise UserError(f'at: {e}') from e", False),
        ("except UserError as e:\n    yield Refusal(e)", False),
        ("except UserError as e:\n    log.warning('%s', e)", False),
        ("except TreeError as e:\n    row = str(e)", False),
        ("except UserError:\n    row = None", False),
    ],
)
def test_what_keeps_the_words_of_an_exception(body: str, kept: bool):
    (handler,) = ast.parse(f"try:\n    go()\n{body}").body[0].handlers
    assert keeps_words(handler) == kept


def test_no_step_keeps_words_that_are_left_out():
    """What keeps the words of an exception catches a class of its own, whose words count."""
    for key, statement in definitions():
        for node in ast.walk(statement):
            if isinstance(node, ast.ExceptHandler) and not is_among(key, HANDED_ON):
                assert not keeps_words(node), (key, ast.unparse(node))


def test_refusals_end_steps():
    """What calls something that tells refusals raises them, or tells them itself."""
    told = {"base._folder", "base._tokenizer", "labels.tell_cut"}  # the last one only logs them
    tellers = {k for k, s in definitions() if calls(s, {REFUSAL})}
    for key, statement in definitions():
        if REAL._named_by(key).keys & tellers and key not in tellers:
            assert calls(statement, UNKEPT) or is_among(key, told), key


def calls(statement: ast.stmt, names: Iterable[str]) -> bool:
    return any(isinstance(n, ast.Call) and last(n) in names for n in ast.walk(statement))


if __name__ == "__main__":
    print(*table(), sep="\n")
