from collections import Counter

from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.paraphrasing.exemplars import paraphrase_rows, refuse_none_left
from tuneatlas.studies.syntax.tables import PAIRS, PARAPHRASES, read_parses, sentences_of

with step(snakemake) as this:
    pairs = list(PAIRS.stream(this.path("pairs")))
    wanted = sentences_of(pairs)
    trees = {i: tree for i, tree in read_parses(this.paths("parses")) if i in wanted}
    rows = paraphrase_rows(pairs, trees, **this.options)
    refuse_none_left(pairs, rows)
    PARAPHRASES.write_stream(this.outputs["paraphrases"], rows)
    this.info = {
        "paraphrases": dict(Counter(row["split"] for row in rows)),
        "left_out": len(pairs) - len(rows),
        "without_exemplar": sum(row["exemplar_id"] is None for row in rows),
    }
