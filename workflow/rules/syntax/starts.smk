# Which models and files a start or a format of the syntax study names. Rules are looked up when a
# path is asked for.


def examples_of(stage, paraphraser):
    """The examples of a pre-training stage, from all shards."""
    return every_shard(rules.build_tasks.output.train, stage=stage, paraphraser=paraphraser)


def vanilla(wildcards):
    """T5 as it is before any tree: one made here is first trained on plain sentences."""
    return t5_of(wildcards.paraphraser)


def t5_of(paraphraser):
    """The same, of a paraphraser by name."""
    if config["paraphrasers"][paraphraser]["source"] == "scratch":
        return expand(rules.pretrain_plain.output.model, start="vanilla", allow_missing=True)[0]
    return rules.prepare_paraphraser.output.model


def lineage(start, paraphraser):
    """The models from T5 to the one that is tuned or measured under the name of a start."""
    added = {
        "vanilla": [],
        "plain": [rules.pretrain_plain.output.model],
        "structure": [rules.pretrain_structure.output.model],
        "syntax": [rules.pretrain_syntax.output.model],
    }.get(start, [rules.pretrain_structure.output.model, rules.pretrain_syntax.output.model])
    return expand([t5_of(paraphraser), *added], start=start, paraphraser=paraphraser)


def model_of_start(wildcards):
    """The model that is tuned or measured under the name of a start."""
    return lineage(wildcards.start, wildcards.paraphraser)[-1]


def rewriters_of(wildcards):
    """The encoder-decoders that are told of as one."""
    return REWRITERS.get(wildcards.paraphraser, [wildcards.paraphraser])


def every_replicate(path, **wildcards):
    """What each replicate of a paraphraser has at ``path``, one after the other."""
    return lambda w: [
        found for own in rewriters_of(w) for found in expand(path, paraphraser=own, **wildcards)
    ]


def every_run(path):
    """What each tuned model of a paraphraser has at ``path``, replicate by replicate."""
    names = {name: TUNING[f"{name}s"] for name in ("start", "format", "share")}
    return every_replicate(path, **names, seed=TUNING_SEEDS)


def every_lineage(wildcards):
    """The models from T5 to those that are tuned, of all replicates."""
    own = rewriters_of(wildcards)
    return sorted({m for p in own for start in TUNING["starts"] for m in lineage(start, p)})


def format_file(wildcards):
    """The file of a format, and those of the formats that it is like."""
    return list(tuneatlas.paraphrase_files(wildcards.format, HOME))


def tuned_to_paraphrase(wildcards):
    """The model that writes in a format: some are shown another template, and trained no more."""
    trained = tuneatlas.trained_format(wildcards.format, HOME)
    return expand(rules.finetune_paraphrase.output.model, format=trained, allow_missing=True)[0]


def format_of_system(wildcards):
    """The file of the format that the outputs of a system are in, if they are in one."""
    name = SYSTEMS[wildcards.system]["format"]
    return list(tuneatlas.paraphrase_files(name, HOME)) if name else []
