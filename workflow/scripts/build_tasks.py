import json
from collections import Counter

from tuneatlas.engine.step import step
from tuneatlas.models.load import open_tokenizer
from tuneatlas.studies.syntax.pretraining.build import example_rows, setting_of, split_trees
from tuneatlas.studies.syntax.pretraining.vocabulary import pieces_of
from tuneatlas.studies.syntax.tables import PAIRS, TASKS, read_parses, sentences_of
from tuneatlas.tables import shard_bounds

with step(snakemake) as this:
    options, stage = this.options, this.wildcards["stage"]
    setting = setting_of(options)
    if this.inputs["tokenizer"]:
        labels = json.loads(this.path("labels").read_text(encoding="utf-8"))
        setting = setting_of(options, pieces_of(open_tokenizer(this.path("tokenizer")), labels))
    # No sentence of a dev or test pair is trained on. Each shard holds out its part of the trees,
    # the same ones in every stage.
    asked = sentences_of(p for p in PAIRS.stream(this.path("pairs")) if p["split"] != "train")
    trees = {i: tree for i, tree in sorted(read_parses(this.paths("parses"))) if i not in asked}
    start, stop = shard_bounds(options["heldout"], this.wildcards["scatteritem"])
    share, rng = options.get(f"{stage}_share", 1.0), this.shared_rng("scatteritem")
    heldout, train = split_trees(trees, stop - start, share, rng)
    chosen = {"heldout": heldout, "train": train * options[f"{stage}_passes"]}
    for name, ids in chosen.items():
        rows = list(example_rows(stage, ids, trees, options, this.rng(name), setting))
        TASKS.write(this.outputs[name], rows)
        this.info[name] = dict(Counter(row["task"] for row in rows))
