from collections import Counter

from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing import score
from tuneatlas.studies.syntax.paraphrasing.formats import read_format
from tuneatlas.studies.syntax.tables import CANDIDATES, GENERATIONS, SCORES, paraphrases
from tuneatlas.studies.syntax.trees.parsers import open_parser

with step(snakemake) as this:
    parsing, java = snakemake.params.parsing, this.path("java")
    kind = read_format(this.paths("format")[0])
    pairs = {row["id"]: row for row in paraphrases(this.path("paraphrases"), "test")}
    rows = GENERATIONS.read(this.path("generations"))
    parser = open_parser(parsing, {"stanford": this.path("parser"), "java": java})
    texts, found = score.parsed_candidates(rows, parser, parsing["max_words"])
    CANDIDATES.write(this.outputs["candidates"], score.candidate_rows(rows, texts, found))
    programs = {"meteor": this.path("meteor"), "java": java}
    trees = [parsed.tree for parsed in found]
    scores = score.paraphrase_scores(rows, pairs, kind, texts, trees, programs, this.options)
    SCORES.write(this.outputs["scores"], scores)
    this.info = {
        "corpus_bleu4": scores[-1]["value"],
        "not_parsed": dict(Counter(parsed.reason for parsed in found if parsed.tree is None)),
        "of_another_form": sum(bool(row["problem"]) for row in rows),
    }
