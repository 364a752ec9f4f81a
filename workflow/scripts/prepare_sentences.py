from collections import Counter

from tuneatlas.engine.step import step
from tuneatlas.studies.syntax.sentences import tatoeba
from tuneatlas.studies.syntax.sentences.pair_files import read_files
from tuneatlas.studies.syntax.tables import PAIRS, SENTENCES

with step(snakemake) as this:
    options = this.options
    if options["files"]["train"]:
        sizes = options["pairs"], options["sentences"]
        pairs, sentences, left_out = read_files(options["files"], *sizes)
        count = SENTENCES.write_stream(this.outputs["sentences"], sentences)
        this.info = {"sentences": count, "shared_between_splits": left_out}
    else:
        draws = this.rng("pairs"), this.rng("sentences")
        pairs, sentences, possible = tatoeba.choose(this.path("tatoeba"), options, *draws)
        SENTENCES.write(this.outputs["sentences"], sentences)
        this.info = {"sentences": len(sentences), "possible_pairs": possible}
    PAIRS.write(this.outputs["pairs"], pairs)
    this.info["pairs"] = dict(Counter(row["split"] for row in pairs))
