"""The life of an item in words, for the terminal."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase

from tuneatlas.audit.trace import Life, Masked, Seen
from tuneatlas.tables import Row
from tuneatlas.terminal import visible

WIDTH = 96
BAR = 30
# Steps whose rows have a section of their own; those of all others are shown column by column.
TOLD = (
    *("prepare_questions", "prepare_corpus", "probe_knowledge", "label_knowledge"),
    *("explain_predictions", "read_groups", "mix_instructions", "evaluate_knowledge"),
    *("evaluate_base", "evaluate_stages", "measure_checkpoint"),
    *("generate_paraphrases", "score_paraphrases"),
)


def tell(life: Life, masked: Masked, style: Mapping[bool, tuple[str, str]]) -> Iterator[str]:
    """Lines about an item, from its source to the last prediction, fit for a terminal.

    Args:
        life: what the tables hold.
        masked: gives the text of a conversation with the loss mask.
        style: what stands before and after text that is (True) or is not (False) trained on.
    """
    for line in _told(life, masked, style):
        yield line if isinstance(line, Marked) else visible(line)


class Marked(str):
    """A line whose text is visible and whose marks are not to be."""


def _told(life: Life, masked: Masked, style: Mapping[bool, tuple[str, str]]) -> Iterator[str]:
    yield life.id
    yield "=" * len(life.id)
    for seen in life.of("prepare_questions"):
        yield from _question(seen)
    yield from _corpus(life)
    for seen in life.of("probe_knowledge"):
        yield from _probe(life, seen)
        yield from _labels(life, seen.wildcards["model"])
        yield from _conversations(life, seen.wildcards["model"], masked, style)
        yield from _tuned(life, seen.wildcards["model"])
        yield from _stages(life, seen.wildcards["model"])
    for step, rows in life.rows.items():
        if step not in TOLD:
            yield from _heading(step)
            for seen in rows:
                yield " ".join([seen.output, *seen.wildcards.values()])
                yield from _columns(seen.row)
    yield from _paraphrases(life)


def bars(row: Row, choices: Sequence[str]) -> Iterator[str]:
    """The probability of each option as a bar: `=` right answer, `>` chosen."""
    width = max((len(c) for c in choices), default=0)
    for number, (choice, prob) in enumerate(zip(choices, row["probs"], strict=True)):
        marks = (">" if number == row["pred"] else " ") + ("=" if number == row["answer"] else " ")
        bar = "#" * round(prob * BAR)
        yield f"  {marks} {ascii_uppercase[number]}. {choice:<{width}}  {prob:6.3f} {bar}"


def _heading(title: str) -> Iterator[str]:
    yield ""
    yield f"--- {title} " + "-" * max(3, WIDTH - len(title) - 5)


def _question(seen: Seen) -> Iterator[str]:
    row = seen.row
    yield from _heading("question")
    yield row["question"]
    for number, choice in enumerate(row["choices"]):
        yield f"   {'=' if number == row['answer'] else ' '} {ascii_uppercase[number]}. {choice}"
    yield f"explanation: {row['explanation']}"
    yield f"domain {row['domain']}, relation {row['relation']}, {row['role']}, split {row['split']}"
    yield f"source: {row['source']}; licence: {row['licence']}"
    yield f"in {seen.output}"


def _corpus(life: Life) -> Iterator[str]:
    mentions = [s.row["mentions"] for s in life.of("prepare_corpus") if "mentions" in s.row]
    documents = [s.row for s in life.of("prepare_corpus") if "text" in s.row]
    if mentions or documents:
        yield from _heading("corpus")
    for number in mentions:
        yield f"the pre-training corpus states the fact {number} times"
    by_split: dict[str, list[str]] = {}
    for split, name in life.documents:
        by_split.setdefault(split, []).append(name)
    for split, ids in by_split.items():
        shown = ", ".join(ids[:5]) + (" …" if len(ids) > 5 else "")
        yield f"stated in {len(ids)} documents of split {split}: {shown}"
    for row in documents:
        yield from _columns(row)


def _probe(life: Life, seen: Seen) -> Iterator[str]:
    model = seen.wildcards["model"]
    yield from _heading(f"base model {model}: probed")
    yield "prompt as sent:"
    yield _quoted(seen.row["prompt"])
    yield "probability of each option (= right, > chosen):"
    choices = life.question["choices"] if life.question else [""] * len(seen.row["probs"])
    yield from bars(seen.row, choices)
    yield f"the base model is {'right' if seen.row['correct'] else 'wrong'}; in {seen.output}"


def _labels(life: Life, model: str) -> Iterator[str]:
    released = life.of("read_groups", model=model)
    labels = life.of("label_knowledge", model=model) + [s for s in released if "group" in s.row]
    if not labels:
        return
    yield from _heading("labels")
    for seen in labels:
        yield f"group {seen.row['group']}: trained on {ascii_uppercase[seen.row['label']]}"
    own = [s for s in released if "explanation" in s.row]
    for seen in life.of("explain_predictions", model=model) + own:
        row = seen.row
        chosen = ascii_uppercase[row["pred"]]
        yield f"the base model explains {chosen} (ended by: {row['finish']}):"
        yield _quoted(row["explanation"] or "(nothing)")


def _conversations(
    life: Life, model: str, masked: Masked, style: Mapping[bool, tuple[str, str]]
) -> Iterator[str]:
    texts: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for seen in life.of("mix_instructions", model=model):
        messages = [(m["content"] + "\n", False) for m in seen.row["messages"]]
        pieces = masked(seen) or messages
        name = f"{seen.wildcards['group']}/{seen.wildcards['seed']}"
        texts.setdefault(tuple(pieces), []).append(name)
    if texts:
        yield from _heading("trained on")
        (before, after) = style[True]
        yield Marked(f"tokens that the loss is taken on are marked {before}so{after}")
    for pieces_, names in texts.items():
        yield f"in {', '.join(names)}:"
        text = "".join(style[mark][0] + visible(piece) + style[mark][1] for piece, mark in pieces_)
        yield Marked(_quoted(text))


def _tuned(life: Life, model: str) -> Iterator[str]:
    rows = life.of("evaluate_knowledge", model=model)
    if not rows:
        return
    yield from _heading("tuned models: test")
    yield f"  {'tuned on':<16}{'group':<16}{'seed':<6}{'chooses':<9}{'':<7}{'P(right)':<10}"
    for seen in sorted(rows, key=lambda s: tuple(s.wildcards.values())):
        w, row = seen.wildcards, seen.row
        yield (
            f"  {w['domain']:<16}{w['group']:<16}{w['seed']:<6}{ascii_uppercase[row['pred']]:<9}"
            f"{_verdict(row):<7}{row['gold_prob']:<7.3f}{'#' * round(row['gold_prob'] * BAR)}"
        )
    yield "prompt as sent:"
    yield _quoted(rows[0].row["prompt"])


def _stages(life: Life, model: str) -> Iterator[str]:
    rows = [
        seen
        for step in ("evaluate_base", "evaluate_stages", "measure_checkpoint")
        for seen in life.of(step, model=model)
        if "pred" in seen.row
    ]
    if not rows:
        return
    yield from _heading("along the tuning: tuned, then restored")
    yield f"  {'run':<34}{'setting':<10}{'step':<7}{'restored':<10}{'':<7}P(right)"
    for seen in rows:
        row = seen.row
        run = "/".join(value for name, value in seen.wildcards.items() if name != "model")
        restored = f"{row['restored']} %" if row["restored"] else "no"
        yield (
            f"  {run:<34}{row['setting']:<10}{row['step']:<7}{restored:<10}{_verdict(row):<7}"
            f"{row['gold_prob']:<7.3f}{'#' * round(row['gold_prob'] * BAR)}"
        )


def _paraphrases(life: Life) -> Iterator[str]:
    """What each run wrote for each pair, with its tree and its scores."""
    pairs: dict[str, dict[str, list[Row]]] = {}
    for seen in life.of("generate_paraphrases") + life.of("score_paraphrases"):
        runs = pairs.setdefault(seen.row["id"], {})
        runs.setdefault(" ".join(seen.wildcards.values()), []).append(seen.row)
    for pair, runs in pairs.items():
        yield from _heading(f"paraphrases of {pair}")
        for run, rows in runs.items():
            yield run
            written = {k: v for row in rows if "metric" not in row for k, v in row.items()}
            yield from _columns({k: v for k, v in written.items() if v and k != "id"})
            scores = [f"{r['metric']} {_short(r['value'])}" for r in rows if "metric" in r]
            if scores:
                text = f"scores: {', '.join(scores)}"
                yield textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _quoted(text: str) -> str:
    """A text line by line, of which only a new line ends one, as on the terminal."""
    return "\n".join(f"  | {line}" for line in text.removesuffix("\n").split("\n"))


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _verdict(row: Row) -> str:
    return "right" if row["correct"] else "wrong"


def _columns(row: Row) -> Iterator[str]:
    for name, value in row.items():
        text = str(value)
        yield f"  {name}: " + ("\n" + _quoted(text) if "\n" in text else text)
