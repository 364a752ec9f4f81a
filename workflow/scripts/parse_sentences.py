from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.tables import PARSES, SENTENCES
from tuneatlas.studies.syntax.trees.parsers import open_parser
from tuneatlas.studies.syntax.trees.parsing import need_some, parse_counts, parse_rows
from tuneatlas.tables import shard_bounds

with step(snakemake) as this:
    options, path = this.options, this.path("sentences")
    shard = shard_bounds(SENTENCES.count(path), this.wildcards["scatteritem"])
    parser = open_parser(options, {"stanford": this.path("parser"), "java": this.path("java")})
    limits = {"max_words": options["max_words"], "chunk": options["chunk"]}
    sentences = list(SENTENCES.stream(path, *shard))
    # What was parsed before a stop is not parsed again.
    rows = list(parse_rows(sentences, parser, folder=this.checkpoints, **limits))
    need_some(parser, (row["status"] for row in rows))
    PARSES.write(this.outputs["parses"], rows)
    this.info = {"parser": parser.name, **parse_counts(rows)}
