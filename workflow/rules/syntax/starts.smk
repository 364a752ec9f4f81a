# Which models and files a start or a format of the syntax study names. Rules are looked up when a
# path is asked for.


def examples_of(stage, paraphraser):
    """The examples of a pre-training stage, from all shards."""
    return every_shard(rules.build_tasks.output.train, stage=stage, paraphraser=paraphraser)


def vanilla(wildcards):
    """T5 as it is before any tree: one made here is first trained on plain sentences."""
    made_here = config["paraphrasers"][wildcards.paraphraser]["source"] == "scratch"
    if made_here:
        return expand(rules.pretrain_plain.output.model, start="vanilla", allow_missing=True)[0]
    return rules.prepare_paraphraser.output.model


def lineage(start, wildcards):
    """The models from T5 to the one that is tuned or measured under the name of a start."""
    added = {
        "vanilla": [],
        "plain": [rules.pretrain_plain.output.model],
        "structure": [rules.pretrain_structure.output.model],
        "syntax": [rules.pretrain_syntax.output.model],
    }.get(start, [rules.pretrain_structure.output.model, rules.pretrain_syntax.output.model])
    models = [vanilla(wildcards), *added]
    return expand(models, start=start, paraphraser=wildcards.paraphraser)


def model_of_start(wildcards):
    """The model that is tuned or measured under the name of a start."""
    return lineage(wildcards.start, wildcards)[-1]


def every_run(path):
    """What each tuned model of a paraphraser has at ``path``."""
    names = {name: TUNING[f"{name}s"] for name in ("start", "format", "share")}
    return expand(path, **names, seed=TUNING_SEEDS, allow_missing=True)


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
