from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.formats import read_format
from tuneatlas.studies.syntax.paraphrasing.outputs import generations_of
from tuneatlas.studies.syntax.paraphrasing.score_outputs import score_outputs
from tuneatlas.studies.syntax.paraphrasing.systems import found_parses
from tuneatlas.studies.syntax.tables import CANDIDATES, PAIRS, SCORES, paraphrases

with step(snakemake) as this:
    parsing = snakemake.params.parsing
    pairs = {row["id"]: row for row in paraphrases(this.path("paraphrases"), "test")}
    ids = [row["id"] for row in PAIRS.stream(this.path("pairs")) if row["split"] == "test"]
    kind = read_format(this.paths("format")[0]) if this.inputs["format"] else None
    every = generations_of(this.path("outputs"), ids, kind)
    rows = [row for row in every if row["id"] in pairs]
    parses = dict(zip(ids, found_parses(this, every, parsing), strict=True))
    found = [parses[row["id"]] for row in rows]
    programs = {"meteor": this.path("meteor"), "java": this.path("java")}
    cut = this.options["tokenise"]
    scored = score_outputs(rows, pairs, found, kind, programs, this.options, tokenise=cut)
    CANDIDATES.write(this.outputs["candidates"], scored.candidates)
    SCORES.write(this.outputs["scores"], scored.scores)
    this.info = {"pairs_without_trees": len(every) - len(rows), "odd": scored.odd}
