# Which models a start of the syntax study names. Rules are looked up when a path is asked for.


def task_options(stage):
    """The options of one stage: to mask a task changes nothing in the other stages."""
    others = [f"{name}_" for name in ("plain", "structure", "syntax") if name != stage]
    # A share of the trees is none of the plain sentences.
    others += ["share"] if stage == "plain" else []
    return {k: v for k, v in config["build_tasks"].items() if not k.startswith(tuple(others))}


def examples_of(stage):
    """The examples of a pre-training stage, from all shards."""
    return gather.shards(rules.build_tasks.output.train, stage=stage)


def as_both(start):
    """What decides how many tokens both stages see, for the start that is to see as many."""
    if start != "plain":
        return {}
    stages = {stage: config[f"pretrain_{stage}"] for stage in ("structure", "syntax")}
    return {"as_both": {s: {k: o[k] for k in ("epochs", "row_length")} for s, o in stages.items()}}


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
        "both": [rules.pretrain_structure.output.model, rules.pretrain_syntax.output.model],
    }[start]
    models = [vanilla(wildcards), *added]
    return expand(models, start=start, paraphraser=wildcards.paraphraser)


def model_of_start(wildcards):
    """The model that is tuned or measured under the name of a start."""
    return lineage(wildcards.start, wildcards)[-1]


def every_run(path):
    """What each tuned model of a paraphraser has at ``path``."""
    names = {name: TUNING[f"{name}s"] for name in ("start", "format", "share")}
    return expand(path, **names, seed=TUNING_SEEDS, allow_missing=True)
