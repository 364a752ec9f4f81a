"""The data of Ren et al. 2024 as they released them: questions, and the groups of a model.

The folder is ``data`` of their repository: ``source/DOMAIN/{dev,test,train}.jsonl`` and
``group/MODEL/DOMAIN/*.jsonl``; or one of the raw Xiezhi benchmark, from which their splits are
drawn anew (``tuneatlas.data.xiezhi``). Texts are taken as they are, blanks and line breaks
included: what is odd in them is counted, not mended.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.data.released_files import group_files, is_raw, raw_file, source_folder
from tuneatlas.data.text_files import Record, read_json_lines, show
from tuneatlas.data.xiezhi import raw_splits
from tuneatlas.errors import UserError
from tuneatlas.tables import Row

LETTERS = "ABCD"
OPTIONS = len(LETTERS)
# Whose option the label of a group is.
LABELLED = {"harmonious": "answer", "incompatible": "answer", "self_aligning": "pred"}


class Released(NamedTuple):
    """Rows of table QUESTIONS, contexts given by id, and what is odd in each file."""

    rows: list[Row]
    contexts: dict[str, str]
    quirks: dict[str, dict[str, int]]


def read_released(folder: Path, domain: str, groups: Sequence[str] = ()) -> Released:
    """The questions of a domain as released, in the order of their files.

    Args:
        folder: see the module's docstring.
        domain: its key in the config: engineering, history, jurisprudence or medicine.
        groups: names of models whose groups are trained on. Where there is no file of training
            questions, theirs are taken.

    Raises:
        UserError: naming the file and line of what is no such data.
    """
    found: dict[str, list[tuple[Record, Row]]] = {}
    if is_raw(folder):
        for split, records in raw_splits(folder, domain).items():
            name = f"{raw_file(folder, domain)}, {split}"
            found[name] = [(r, _question(r, domain, split)) for r in records]
    else:
        for split, path in source_files(folder, domain).items():
            records = list(read_json_lines(path))
            name = str(path.relative_to(folder))
            found[name] = [(r, _question(r, domain, split)) for r in records]
        if not (source_folder(folder, domain) / "train.jsonl").exists():
            found |= _of_groups(folder, domain, groups)
    rows: dict[str, Row] = {}
    places: dict[str, str] = {}
    contexts: dict[str, str] = {}
    for name, entries in found.items():
        for record, row in entries:
            before = rows.get(row["id"])
            if before is not None and (not name.startswith("group/") or _differ(before, row)):
                text = f"id {row['id']!r} is already used by {places[row['id']]}"
                raise UserError(f"{record.place}: {text}")
            places.setdefault(row["id"], record.place)
            rows.setdefault(row["id"], row)
            if context := record.values.get("context"):
                contexts[row["id"]] = _text(record, "context", context)
    quirks = {name: count_quirks(entries) for name, entries in found.items()}
    return Released(list(rows.values()), contexts, quirks)


def source_files(folder: Path, domain: str) -> dict[str, Path]:
    """The question files of a domain that are there, by split; dev and test must be."""
    inside = source_folder(folder, domain)
    if not inside.is_dir():
        raise UserError(
            f"{folder}: has no source/{inside.name} and is no folder of raw Xiezhi files: name "
            "the folder data of the authors' repository"
        )
    files = {split: inside / f"{split}.jsonl" for split in ("dev", "test", "train")}
    return {split: path for split, path in files.items() if split != "train" or path.exists()}


def count_quirks(entries: Iterable[tuple[Record, Row]]) -> dict[str, int]:
    """How many of the questions of a file are odd, and in what way; ``questions`` are all."""
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for record, row in entries:
        texts = [row["question"], *row["choices"]]
        counts["questions"] += 1
        counts["equal_options"] += len(set(row["choices"])) < len(row["choices"])
        counts["repeated"] += row["question"] in seen
        counts["line_breaks"] += "\n" in row["question"]
        counts["stray_spaces"] += any(text != text.strip() or "  " in text for text in texts)
        counts["no_explanation"] += not row["explanation"].strip()
        made = record.values.get("gen_exp") or {}
        # Ten rows of each dev file have the prompt without the blanks at its end.
        asked = writers_prompt(row)
        counts["other_prompt"] += made.get("input", asked) not in (asked, asked.rstrip())
        seen.add(row["question"])
    return {name: number for name, number in counts.items() if number}


def writers_prompt(question: Mapping[str, Any]) -> str:
    """What the authors asked the unnamed writer of Xiezhi's reference explanations."""
    options = "\n".join(
        f"{letter}. {text}" for letter, text in zip(LETTERS, question["choices"], strict=True)
    )
    gold = question["choices"][question["answer"]]
    return (
        f"The following is a multi choice question about {question['domain']}.\n\n"
        f"{question['question']}\n{options}\n\n"
        f'The answer is "{gold}". Please explain why.\n    '
    )


def _question(record: Record, domain: str, split: str) -> Row:
    values, place = record.values, record.place
    if missing := [k for k in ("id", "question", "choices", "answer") if k not in values]:
        raise UserError(f"{place}: no {missing[0]!r}: these are no questions of the authors' data")
    number, choices, answer = values["id"], values["choices"], values["answer"]
    if type(number) is not int:
        raise UserError(f"{place}: 'id' is {show(number)}, but must be a number")
    right = isinstance(choices, list) and len(choices) == OPTIONS
    if not right or not all(isinstance(choice, str) for choice in choices):
        raise UserError(f"{place}: 'choices' is {show(choices)}, but must be {OPTIONS} texts")
    if type(answer) is not int or not 0 <= answer < OPTIONS:
        raise UserError(f"{place}: 'answer' is {show(answer)}, but must be 0 to {OPTIONS - 1}")
    question = _text(record, "question", values["question"])
    return {
        "id": f"{domain}/{number}",
        "domain": domain,
        "topic": domain,
        "relation": "question",
        "role": "home",
        "split": split,
        "subject": question,
        "question": question,
        "choices": choices,
        "answer": answer,
        "explanation": _explanation(record),
        "source": f"self-aligning released, {Path(place.partition(', line ')[0]).name}",
        "licence": "",
    }


def _text(record: Record, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UserError(f"{record.place}: {name!r} is {show(value)}, but must be a text")
    return value


def _explanation(record: Record) -> str:
    """The reference explanation: that of a SELF-ALIGNING row stands in what it was made of."""
    values = record.values
    made, raw = values.get("gen_exp") or {}, values.get("raw") or {}
    for said in (values.get("explanation"), made.get("output"), raw.get("exp")):
        if said:
            return _text(record, "explanation", said)
    return ""


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(one[key] != other[key] for key in ("question", "choices", "answer"))


class Group(NamedTuple):
    """A released group: its records in the order of the file."""

    path: Path
    records: list[Record]


def read_groups(folder: Path, model: str, domain: str) -> dict[str, Group]:
    """The released groups of a model in a domain, each row checked against itself.

    Raises:
        UserError: naming file and line of a row whose prediction, probabilities and label do not
            agree with each other or with the name of the file; or two files whose questions differ.
    """
    if not (folder / "group" / model).is_dir():
        have = ", ".join(sorted(p.name for p in (folder / "group").glob("*") if p.is_dir()))
        raise UserError(f"{folder}: has no group/{model}; there are: {have or 'none'}")
    groups = {}
    for group, path in group_files(folder, model, domain).items():
        records = list(read_json_lines(path))
        for record in records:
            _check_group(record, domain, LABELLED[group])
        groups[group] = Group(path, records)
    gold, own = groups["incompatible"], groups["self_aligning"]
    ids = [[record.values["id"] for record in group.records] for group in (gold, own)]
    if ids[0] != ids[1]:
        raise UserError(
            f"{own.path}: its questions are not those of {gold.path.name}, in their order: the two "
            "groups train on the same questions"
        )
    return groups


def _check_group(record: Record, domain: str, labelled: str) -> None:
    row, values = _question(record, domain, "train"), record.values
    probs, pred, label = (values.get(name) for name in ("probs", "pred", "output"))
    wrong = not isinstance(probs, list) or len(probs) != OPTIONS
    if wrong or not all(type(p) is float for p in probs or ()):
        raise UserError(f"{record.place}: 'probs' is {show(probs)}, but must be {OPTIONS} numbers")
    assert isinstance(probs, list)
    if type(pred) is not int or pred != probs.index(max(probs)):
        raise UserError(f"{record.place}: 'pred' is {show(pred)}, not the most probable option")
    if values.get("correct") is not (pred == row["answer"]):
        raise UserError(f"{record.place}: 'correct' is not whether 'pred' is the answer")
    if label != (row["answer"] if labelled == "answer" else pred):
        text = f"'output' is {show(label)}, but the label of this file is its {labelled!r}"
        raise UserError(f"{record.place}: {text}")
    if labelled == "pred":
        _text(record, "model_exp", values.get("model_exp"))


def _of_groups(
    folder: Path, domain: str, groups: Sequence[str]
) -> dict[str, list[tuple[Record, Row]]]:
    """The questions of released groups, where there is no file of training questions."""
    found = {}
    for name in groups:
        for group in read_groups(folder, name, domain).values():
            place = str(group.path.relative_to(folder))
            found[place] = [(r, _question(r, domain, "train")) for r in group.records]
    return found


def refuse_unknown(
    groups: Mapping[str, Group], questions: Mapping[str, Mapping[str, Any]], domain: str
) -> None:
    """Raise UserError for the first question of a group that is not in the question files."""
    for group in groups.values():
        for record in group.records:
            row = _question(record, domain, "train")
            known = questions.get(row["id"])
            if known is None or _differ(known, row):
                what = "is not in" if known is None else "is another one in"
                raise UserError(
                    f"{record.place}: question {row['id']!r} {what} the question files of domain "
                    f"{domain}: groups and questions must be of one release"
                )
            if known["split"] != "train":
                text = f"question {row['id']!r} is a {known['split']} question of domain {domain}"
                raise UserError(f"{record.place}: {text}, and must not be trained on")
