"""Nothing is lost between two steps: rows in are rows out and rows set aside.

Each entry of ``COUNTS`` tells for one step which rows its output should hold, given those of
its inputs. Only the columns needed are read.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.trace import open_table
from tuneatlas.data.groups import self_aligning_share
from tuneatlas.engine.files import read_file
from tuneatlas.tables import GENERAL, open_parquet, shard_bounds

Record = dict[str, Any]


def read_columns(path: Path, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of some columns of a parquet file; none if it cannot be read (another check says)."""
    try:
        table = open_parquet(path).read(columns=list(columns))
        return list(zip(*(table.column(c).to_pylist() for c in columns), strict=True))
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return []


def _inputs(results: Results, record: Record, step: str, *columns: str) -> list[tuple[Any, ...]]:
    names = [n for n in record["inputs"] if n.startswith(f"results/{step}/")]
    return [row for name in names for row in read_columns(results.place(name), *columns)]


def _output(results: Results, record: Record, *columns: str) -> list[tuple[Any, ...]]:
    return read_columns(results.place(record["output"]), *columns)


def _same_ids(found: list[str], wanted: list[str], what: str) -> Iterator[str]:
    missing, extra = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if missing:
        one = min(missing, key=str)
        yield f"{missing.total()} of {len(wanted)} {what} are not in it, such as {one}"
    if extra:
        yield f"{extra.total()} of its rows are not {what}, such as {min(extra, key=str)}"


def probe(results: Results, record: Record) -> Iterator[str]:
    """All train and test questions are asked; released groups stand in for those of train."""
    asked = _inputs(results, record, "prepare_questions", "id", "split")
    splits = record.get("params", {}).get("splits", ["train", "test"])
    wanted = [i for i, split in asked if split in splits]
    yield from _same_ids(
        [i for (i,) in _output(results, record, "id")], wanted, "questions of splits train and test"
    )


def label(results: Results, record: Record) -> Iterator[str]:
    """Wrong answers are in two groups, right ones in one or sampled away, unsure ones in none."""
    least, pool = (record["options"].get(k) for k in ("min_confidence", "harmonious_pool"))
    probed = _inputs(results, record, "probe_knowledge", "id", "split", "correct", "pred_prob")
    answers = [row[:3] for row in probed if not least or row[3] > least]
    groups: dict[str, list[str]] = {"harmonious": [], "incompatible": [], "self_aligning": []}
    for i, group in _output(results, record, "id", "group"):
        groups.setdefault(group, []).append(i)
    wrong = [i for i, split, correct in answers if split == "train" and not correct]
    right = [i for i, split, correct in answers if split == "train" and correct]
    for group in ("incompatible", "self_aligning"):
        for text in _same_ids(groups[group], wanted=wrong, what="wrongly answered questions"):
            yield f"group {group}: {text}"
    kept = groups["harmonious"]
    matched = record["options"].get("harmonious_size") == "match"
    most = len(right)
    if pool == "confident":
        most = min(most, sum(split == "train" and not correct for _, split, correct, _ in probed))
    wanted = min(most, len(wrong)) if matched else most
    if len(kept) != wanted or set(kept) - set(right):
        yield (
            f"group harmonious: {len(kept)} questions where {wanted} of the {len(right)} rightly "
            "answered ones belong"
        )


def explain(results: Results, record: Record) -> Iterator[str]:
    """Every self-aligning question is explained."""
    labels = _inputs(results, record, "label_knowledge", "id", "group")
    wanted = [i for i, group in labels if group == "self_aligning"]
    yield from _same_ids(
        [i for (i,) in _output(results, record, "id")], wanted, "self-aligning questions"
    )


def mix(results: Results, record: Record) -> Iterator[str]:
    """A training set holds its group, a mixture every question of it once.

    Instructions of any kind may be among them, and questions with unfinished explanations left out.
    """
    labels = _inputs(results, record, "label_knowledge", "id", "group")
    labels += _inputs(results, record, "read_groups", "id", "group")
    of_set = record["wildcards"]["group"]
    harmonious = self_aligning_share(of_set) is None and of_set != "contextualised"
    group = "harmonious" if harmonious else "incompatible"
    wanted = [i for i, found in labels if found == group]
    found = [i for i, origin in _output(results, record, "id", "origin") if origin != GENERAL]
    if record.get("params", {}).get("unfinished") == "leave_out":
        wanted = [i for i in wanted if i in set(found)]
    yield from _same_ids(found, wanted, f"questions of group {group}")


def evaluate(results: Results, record: Record) -> Iterator[str]:
    """All test questions are asked."""
    asked = _inputs(results, record, "prepare_questions", "id", "split")
    wanted = [i for i, split in asked if split == "test"]
    yield from _same_ids([i for (i,) in _output(results, record, "id")], wanted, "test questions")


def corpus(results: Results, record: Record) -> Iterator[str]:
    """The mentions of every question are counted."""
    if record["output"].endswith("/mentions.parquet"):
        wanted = [i for (i,) in _inputs(results, record, "prepare_questions", "id")]
        yield from _same_ids([i for (i,) in _output(results, record, "id")], wanted, "questions")


def parse(results: Results, record: Record) -> Iterator[str]:
    """Each sentence of a shard has a row, with its tree or with the reason for none."""
    step = "results/prepare_sentences/"
    source = results.place(next((n for n in record["inputs"] if n.startswith(step)), step))
    try:
        wanted = shard_ids(source, record["wildcards"]["scatteritem"])
    except (OSError, LookupError, ValueError, pa.ArrowException):
        return  # another check says
    found = [i for (i,) in _output(results, record, "id")]
    yield from _same_ids(found, wanted, "sentences of its shard")


def shard_ids(path: Path, shard: str) -> list[str]:
    """Ids of the rows of a shard; only those groups of rows are read that it has a part in."""
    file = open_table(path)
    start, stop = shard_bounds(file.metadata.num_rows, shard)
    ids: list[str] = []
    end = 0
    for group in range(file.num_row_groups):
        begin, end = end, end + file.metadata.row_group(group).num_rows
        if begin < stop and start < end:
            column = file.read_row_group(group, ["id"]).column("id")
            ids += column.slice(
                max(start - begin, 0), min(stop, end) - max(start, begin)
            ).to_pylist()
    return ids


def restoration(results: Results, record: Record) -> Iterator[str]:
    """Questions are those there are; documents read are kept or left out, and counted."""
    folder = results.place(record["output"])
    every = {i for (i,) in _inputs(results, record, "prepare_questions", "id")}
    foreign = {i for (i,) in read_columns(folder / "questions.parquet", "id")} - every
    if foreign:
        yield f"{len(foreign)} questions are of no domain, such as {min(foreign, key=str)}"
    kept = [s for (s,) in read_columns(folder / "documents.parquet", "split")].count("restore")
    try:
        said = json.loads(read_file(folder / "overlap.json"))["restore_documents"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return  # another check says
    if kept != said:
        yield f"{kept} documents to restore with, where overlap.json counts {said}"


def stages(results: Results, record: Record) -> Iterator[str]:
    """Every model is asked every question and reads the same held-out texts and replies."""
    step = "results/prepare_restoration/"
    folder = results.place(next((n for n in record["inputs"] if n.startswith(step)), step))
    asked = [i for (i,) in read_columns(folder / "questions.parquet", "id")]
    documents = read_columns(folder / "documents.parquet", "id", "split")
    held = {i for i, split in documents if split == "heldout"}
    answers = record["output"].endswith(".answers.parquet")
    found: dict[tuple[str, int, int], list[str]] = {}
    names = ("setting", "step", "restored", "id", *(() if answers else ("kind",)))
    for setting, steps, restored, i, *kind in _output(results, record, *names):
        text = "a reply" if kind == ["instruction"] else i
        found.setdefault((setting, steps, restored), []).append(text)
    shares = {share for _, _, share in found} | {0, 100}
    first = next(iter(found.values()), [])
    replies = min(len(asked), record["options"].get("conversations", len(asked)))
    # How many texts are read is a matter of their bytes; which, must be one choice for all.
    texts = [i for i in first if i in held] + ["a reply"] * replies
    what, wanted = ("questions asked", asked) if answers else ("texts measured", texts)
    for (setting, steps, restored), ids in found.items():
        for problem in _same_ids(ids, wanted, what):
            yield f"{setting} step {steps}, restored {restored}%: {problem}"
    for setting, steps in sorted({cell[:2] for cell in found}):
        for restored in sorted(shares - {r for s, n, r in found if (s, n) == (setting, steps)}):
            yield f"{setting} step {steps}: no rows of the model restored {restored}%"


COUNTS: dict[str, Callable[[Results, Record], Iterator[str]]] = {
    "probe_knowledge": probe,
    "label_knowledge": label,
    "explain_predictions": explain,
    "mix_instructions": mix,
    "evaluate_knowledge": evaluate,
    "prepare_corpus": corpus,
    "parse_sentences": parse,
    "prepare_restoration": restoration,
    "evaluate_base": stages,
    "evaluate_stages": stages,
}


def set_aside(
    results: Results, step: str, table: str, names: list[str]
) -> Iterator[tuple[int, str]]:
    """How many rows a step left out, and why, over its outputs ``names``."""
    found: Counter[str] = Counter()
    for name in names:
        record = results.records.get(name, {})
        if table == "labels":
            answers = _inputs(results, record, "probe_knowledge", "split", "correct")
            right = sum(correct for split, correct in answers if split == "train")
            kept = [g for (g,) in read_columns(results.place(name), "group")].count("harmonious")
            text = "rightly answered training questions, sampled away to match the wrong ones"
            found[text] += right - kept
        elif table == "parses":
            rows = read_columns(results.place(name), "status", "reason")
            found += Counter(f"{s}: {r}" for s, r in rows if s != "parsed")
        elif table == "explanations":
            rows = read_columns(results.place(name), "finish")
            found["explanations cut off at the longest length"] += rows.count(("length",))
        elif table == "generations":
            rows = read_columns(results.place(name), "problem")
            found += Counter(f"no paraphrase: {p}" for (p,) in rows if p)
        elif step == "prepare_restoration" and table == "documents":
            overlap = json.loads(read_file(results.place(name).parent / "overlap.json"))
            left = overlap["restore_characters_read"] - overlap["restore_characters"]
            found["characters of text that repeats a question or states its fact"] += left
    yield from ((number, text) for text, number in found.most_common() if number)
