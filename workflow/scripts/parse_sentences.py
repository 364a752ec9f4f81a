from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.sentences.parse_files import given_rows
from tuneatlas.studies.syntax.tables import PARSES, SENTENCES
from tuneatlas.studies.syntax.trees.parsers import open_parser
from tuneatlas.studies.syntax.trees.parsing import need_some, parse_counts, parse_rows
from tuneatlas.tables import shard_bounds

with step(snakemake) as this:
    options, path = this.options, this.path("sentences")
    shard = shard_bounds(SENTENCES.count(path), this.wildcards["scatteritem"])
    sentences = list(SENTENCES.stream(path, *shard))
    given = given_rows(sentences, options)
    rest = [row for row in sentences if row["id"] not in given]
    parsed = []
    if rest:
        folders = {"stanford": this.path("parser"), "java": this.path("java")}
        parser = open_parser(options, folders)
        limits = {"max_words": options["max_words"], "chunk": options["chunk"]}
        # What was parsed before a stop is not parsed again.
        parsed = list(parse_rows(rest, parser, folder=this.checkpoints, **limits))
        need_some(parser, (row["status"] for row in parsed))
    of = given | {row["id"]: row for row in parsed}
    rows = [of[row["id"]] for row in sentences]
    PARSES.write(this.outputs["parses"], rows)
    this.info = {"parser": parser.name if rest else "given", **parse_counts(rows)}
