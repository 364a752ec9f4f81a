"""Nothing is lost between two steps: rows in are rows out and rows set aside.

Each entry of ``COUNTS`` tells for one step which rows its output should hold, given those of
its inputs. Only the columns needed are read.

Raises, all of them:
    UnreadableTableError: a table is damaged, gone, or not as declared, as other checks say.
    UncountableError: a record does not say what its rows are.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tuneatlas.audit.lineage import Results
from tuneatlas.audit.query import UnreadableTableError, declared, listed, stream
from tuneatlas.data.groups import FURTHER, self_aligning_share
from tuneatlas.engine.files import read_file
from tuneatlas.engine.operations import is_shard
from tuneatlas.errors import UserError
from tuneatlas.tables import GENERAL, GROUPS, shard_bounds

Record = dict[str, Any]
Count = Callable[[Results, Record], Iterator[str]]


class UncountableError(UserError):
    """A record, or a file beside a table, that does not say what is needed to count its rows."""


def _rows(path: Path, *columns: str, where: str = "true") -> Iterator[tuple[Any, ...]]:
    if not declared(path, columns):
        raise UnreadableTableError(f"{path}: not with the columns that this version writes")
    return stream(path, listed(columns), where)


def _inputs(results: Results, record: Record, step: str) -> list[Path]:
    return [results.place(n) for n in record["inputs"] if n.startswith(f"results/{step}/")]


def _ids(paths: list[Path], where: str = "true") -> list[str]:
    return [i for path in paths for (i,) in _rows(path, "id", where=where)]


def _wildcard(record: Record, name: str, form: str) -> str:
    value: str = record["wildcards"].get(name, "")
    if not re.fullmatch(form, value):
        raise UncountableError(f"its record says {name} {value!r}")
    return value


def _same_ids(found: list[str], wanted: list[str], what: str) -> Iterator[str]:
    missing, extra = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    if missing:
        one = min(missing, key=str)
        yield f"{missing.total()} of {len(wanted)} {what} are not in it, such as {one}"
    if extra:
        yield f"{extra.total()} of its rows are not {what}, such as {min(extra, key=str)}"


def every(step: str, what: str, where: str = "true") -> Count:
    """A count of outputs that have a row for each row of a step's tables for which this holds."""

    def count(results: Results, record: Record) -> Iterator[str]:
        found = _ids([results.place(record["output"])])
        yield from _same_ids(found, _ids(_inputs(results, record, step), where), what)

    return count


def probe(results: Results, record: Record) -> Iterator[str]:
    """All train and test questions are asked; released groups stand in for those of train."""
    splits = record.get("params", {}).get("splits", ["train", "test"])
    if not isinstance(splits, list) or not {"train", "test"}.issuperset(splits):
        raise UncountableError(f"its record says splits {splits!r}")
    where = " OR ".join(f"split = '{split}'" for split in splits) or "false"
    count = every("prepare_questions", "questions of splits train and test", where)
    yield from count(results, record)


def put_together(count: Count) -> Count:
    """As ``count``, of a step whose work jobs may share: behind it are all shards, each once."""

    def counted(results: Results, record: Record) -> Iterator[str]:
        shards = [Path(name).stem for name in record["inputs"] if is_shard(name)]
        for number in {shard.partition("-of-")[2] for shard in shards}:
            wanted = [f"{n}-of-{number}" for n in range(1, int(number) + 1)]
            yield from _same_ids(shards, wanted, f"shards, of which there are {number},")
        yield from count(results, record)

    return counted


def label(results: Results, record: Record) -> Iterator[str]:
    """Wrong answers are in two groups, right ones in one or sampled away, unsure ones in none."""
    answers, output = _inputs(results, record, "probe_knowledge"), results.place(record["output"])
    least, pool = (record["options"].get(k) for k in ("min_confidence", "harmonious_pool"))
    if not isinstance(least, int | float | None):
        raise UncountableError(f"its record says min_confidence {least!r}")
    sure = f" AND pred_prob > {least}" if least else ""
    wrong = _ids(answers, f"split = 'train' AND NOT correct{sure}")
    right = _ids(answers, f"split = 'train' AND correct{sure}")
    kept, *others = (_ids([output], f"\"group\" = '{group}'") for group in GROUPS)
    for group, found in zip(GROUPS[1:], others, strict=True):
        for text in _same_ids(found, wrong, "wrongly answered questions"):
            yield f"group {group}: {text}"
    matched = record["options"].get("harmonious_size") == "match"
    most = len(right)
    if pool == "confident":
        most = min(most, len(_ids(answers, "split = 'train' AND NOT correct")))
    wanted = min(most, len(wrong)) if matched else most
    if len(kept) != wanted or set(kept) - set(right):
        yield (
            f"group harmonious: {len(kept)} questions where {wanted} of the {len(right)} rightly "
            "answered ones belong"
        )


def mix(results: Results, record: Record) -> Iterator[str]:
    """A training set holds its group, a mixture every question of it once.

    Instructions of any kind may be among them, and questions with unfinished explanations left out.
    """
    name = _wildcard(record, "group", rf"{'|'.join((*GROUPS, *FURTHER))}|mixed_\d+")
    harmonious = name not in FURTHER and self_aligning_share(name) is None
    yield from _of_group(results, record, "harmonious" if harmonious else "incompatible")


def treated(results: Results, record: Record) -> Iterator[str]:
    """The questions of a treatment are those of its group."""
    group = record.get("params", {}).get("group")
    if group not in GROUPS:
        raise UncountableError(f"its record says group {group!r}")
    yield from _of_group(results, record, group)


def explained(results: Results, record: Record) -> Iterator[str]:
    """Every label of a treatment's group is explained."""
    group = record.get("params", {}).get("group")
    if group not in GROUPS:
        raise UncountableError(f"its record says group {group!r}")
    labels = _inputs(results, record, "label_knowledge") + _inputs(results, record, "read_groups")
    found = _ids([results.place(record["output"])])
    wanted = _ids(labels, f"\"group\" = '{group}'")
    yield from _same_ids(found, wanted, f"questions of group {group}")


def _of_group(results: Results, record: Record, group: str) -> Iterator[str]:
    labels = _inputs(results, record, "label_knowledge") + _inputs(results, record, "read_groups")
    found = _ids([results.place(record["output"])], f"origin <> '{GENERAL}'")
    wanted = _ids(labels, f"\"group\" = '{group}'")
    if record.get("params", {}).get("unfinished") == "leave_out":
        wanted = [i for i in wanted if i in set(found)]
    yield from _same_ids(found, wanted, f"questions of group {group}")


def corpus(results: Results, record: Record) -> Iterator[str]:
    """The mentions of every question are counted."""
    if record["output"].endswith("/mentions.parquet"):
        yield from every("prepare_questions", "questions")(results, record)


def parse(results: Results, record: Record) -> Iterator[str]:
    """Each sentence of a shard has a row, with its tree or with the reason for none."""
    shard = _wildcard(record, "scatteritem", r"[1-9]\d*-of-[1-9]\d*")
    for source in _inputs(results, record, "prepare_sentences")[:1]:
        found, wanted = _ids([results.place(record["output"])]), shard_ids(source, shard)
        yield from _same_ids(found, wanted, "sentences of its shard")


def shard_ids(path: Path, shard: str) -> list[str]:
    """Ids of the rows of a shard; only those groups of rows are read that it has a part in."""
    ((count,),) = stream(path, "count(*)")
    start, stop = shard_bounds(count, shard)
    return _ids([path], f"file_row_number >= {start} AND file_row_number < {stop}")


class Overlap(BaseModel):
    """What the texts to restore with have in common with the questions, as overlap.json has it."""

    restore_documents: int
    restore_characters: int
    restore_characters_read: int

    @classmethod
    def read(cls, folder: Path) -> "Overlap":
        """That of an output of ``prepare_restoration``."""
        try:
            return cls.model_validate_json(read_file(folder / "overlap.json"))
        except (OSError, ValueError):
            raise UncountableError("its overlap.json is not as this version writes it") from None


def restoration(results: Results, record: Record) -> Iterator[str]:
    """Questions are those there are; documents read are kept or left out, and counted."""
    folder = results.place(record["output"])
    every = set(_ids(_inputs(results, record, "prepare_questions")))
    foreign = set(_ids([folder / "questions.parquet"])) - every
    if foreign:
        yield f"{len(foreign)} questions are of no domain, such as {min(foreign, key=str)}"
    kept = len(_ids([folder / "documents.parquet"], "split = 'restore'"))
    said = Overlap.read(folder).restore_documents
    if kept != said:
        yield f"{kept} documents to restore with, where overlap.json counts {said}"


def stages(results: Results, record: Record) -> Iterator[str]:
    """Every model is asked every question and reads the same held-out texts and replies."""
    most = record["options"].get("conversations")
    if not isinstance(most, int | None):
        raise UncountableError(f"its record says conversations {most!r}")
    material = _inputs(results, record, "prepare_restoration")[:1]
    asked = _ids([folder / "questions.parquet" for folder in material])
    held = set(_ids([folder / "documents.parquet" for folder in material], "split = 'heldout'"))
    answers = record["output"].endswith(".answers.parquet")
    found: dict[tuple[str, int, int], list[str]] = {}
    names = ("setting", "step", "restored", "id", *(() if answers else ("kind",)))
    for setting, steps, restored, i, *kind in _rows(results.place(record["output"]), *names):
        text = "a reply" if kind == ["instruction"] else i
        found.setdefault((setting, steps, restored), []).append(text)
    shares = {share for _, _, share in found} | {0, 100}
    first = next(iter(found.values()), [])
    replies = len(asked) if most is None else min(len(asked), most)
    # How many texts are read is a matter of their bytes; which, must be one choice for all.
    texts = [i for i in first if i in held] + ["a reply"] * replies
    what, wanted = ("questions asked", asked) if answers else ("texts measured", texts)
    for (setting, steps, restored), ids in found.items():
        for problem in _same_ids(ids, wanted, what):
            yield f"{setting} step {steps}, restored {restored}%: {problem}"
    for setting, steps in sorted({cell[:2] for cell in found}):
        for restored in sorted(shares - {r for s, n, r in found if (s, n) == (setting, steps)}):
            yield f"{setting} step {steps}: no rows of the model restored {restored}%"


def interpolated(results: Results, record: Record) -> Iterator[str]:
    """Every model between base and tuned is asked every test question."""
    asked = _ids(_inputs(results, record, "prepare_questions"), "split = 'test'")
    found: dict[tuple[str, str, float], list[str]] = {}
    names = ("setting", "path", "point", "id")
    for setting, path, point, i in _rows(results.place(record["output"]), *names):
        found.setdefault((setting, path, point), []).append(i)
    for (setting, path, point), ids in found.items():
        for problem in _same_ids(ids, asked, "test questions"):
            yield f"{setting}, {path} {point:g}: {problem}"


def distant(results: Results, record: Record) -> Iterator[str]:
    """All models of a tuning are measured on the same prompts, and asked every test question."""
    path = results.place(record["output"])
    answers = record["output"].endswith(".answers.parquet")
    found: dict[tuple[str, int], list[str]] = {}
    for setting, step, i in _rows(path, "setting", "step", "id"):
        found.setdefault((setting, step), []).append(i)
    wanted = next(iter(found.values()), [])
    if answers:
        wanted = _ids(_inputs(results, record, "prepare_questions"), "split = 'test'")
    what = "test questions" if answers else "prompts"
    for (setting, step), ids in found.items():
        for problem in _same_ids(ids, wanted, what):
            yield f"{setting} step {step}: {problem}"


def relearned(results: Results, record: Record) -> Iterator[str]:
    """The same facts are asked at every update, of either text, and none is right at first."""
    found: dict[tuple[str, int], list[str]] = {}
    names = ("text", "update", "id", "correct")
    for text, update, i, correct in _rows(results.place(record["output"]), *names):
        found.setdefault((text, update), []).append(i)
        if correct and not update:
            yield f"{i} is right before the first update"
    wanted = next(iter(found.values()), [])
    for (text, update), ids in found.items():
        for problem in _same_ids(ids, wanted, "facts followed"):
            yield f"{text} text, update {update}: {problem}"


def in_all_ways(results: Results, record: Record) -> Iterator[str]:
    """Every model is asked every test question in every way."""
    asked = _ids(_inputs(results, record, "prepare_questions"), "split = 'test'")
    found: dict[tuple[str, str], list[str]] = {}
    for setting, way, i in _rows(results.place(record["output"]), "setting", "way", "id"):
        found.setdefault((setting, way), []).append(i)
    ways = dict.fromkeys(way for _, way in found)
    for setting in dict.fromkeys(setting for setting, _ in found):
        for way in ways:
            for problem in _same_ids(found.get((setting, way), []), asked, "test questions"):
                yield f"{setting}, {way}: {problem}"


def replied(results: Results, record: Record) -> Iterator[str]:
    """Every question of a group has as many replies as it is to have in each batch it is in."""
    if not record["output"].endswith(".parquet"):
        return
    generations = record["options"].get("treatment", {}).get("generations")
    if not isinstance(generations, int):
        raise UncountableError(f"its record says generations {generations!r}")
    found = Counter(_rows(results.place(record["output"]), "batch", "id"))
    for (batch, i), count in found.items():
        if count != generations:
            yield f"batch {batch}: {count} replies to {i}, where {generations} belong"
    asked = _ids(_inputs(results, record, "mix_instructions"), "label >= 0")
    yield from _same_ids([*{i for _, i in found}], asked, "questions of its group")


COUNTS: dict[str, Count] = {
    "probe_knowledge": put_together(probe),
    "label_knowledge": label,
    "explain_predictions": put_together(
        every("label_knowledge", "self-aligning questions", "\"group\" = 'self_aligning'")
    ),
    "mix_instructions": mix,
    "explain_treatment": explained,
    "mix_treatment": treated,
    "reinforce_treatment": replied,
    "evaluate_knowledge": put_together(
        every("prepare_questions", "test questions", "split = 'test'")
    ),
    "prepare_corpus": corpus,
    "parse_sentences": parse,
    "prepare_restoration": restoration,
    "probe_checkpoint": every("prepare_questions", "test questions", "split = 'test'"),
    "evaluate_checkpoint": every("prepare_questions", "test questions", "split = 'test'"),
    "measure_checkpoint": stages,
    "evaluate_base": stages,
    "evaluate_stages": put_together(stages),
    "interpolate_weights": interpolated,
    "measure_distance": distant,
    "relearn_facts": relearned,
    "ask_battery": in_all_ways,
}


def set_aside(
    results: Results, step: str, table: str, names: list[str]
) -> Iterator[tuple[int, str]]:
    """How many rows a step left out, and why, over its outputs ``names``."""
    found: Counter[str] = Counter()
    for name in names:
        path = results.place(name)
        if table == "labels":
            answers = _inputs(results, results.records[name], "probe_knowledge")
            right = len(_ids(answers, "split = 'train' AND correct"))
            text = "rightly answered training questions, sampled away to match the wrong ones"
            found[text] += right - len(_ids([path], "\"group\" = 'harmonious'"))
        elif table == "parses":
            rows = _rows(path, "status", "reason", where="status <> 'parsed'")
            found.update(f"{status}: {reason}" for status, reason in rows)
        elif table == "explanations":
            cut = len(_ids([path], "finish = 'length'"))
            found["explanations cut off at the longest length"] += cut
        elif table == "generations":
            rows = _rows(path, "problem", where="problem <> ''")
            found.update(f"no paraphrase: {problem}" for (problem,) in rows)
        elif step == "prepare_restoration" and table == "documents":
            overlap = Overlap.read(path.parent)
            left = overlap.restore_characters_read - overlap.restore_characters
            found["characters of text that repeats a question or states its fact"] += left
    yield from ((number, text) for text, number in found.most_common() if number)
