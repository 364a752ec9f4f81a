# Models asked by lm-evaluation-harness, if the config names tasks: by base model, and by name.
HARNESS = {
    model: tuneatlas.harness_models(
        config, model, expand("{d}/{g}/{s}", d=TUNED, g=GROUPS, s=SEEDS)
    )
    for model in MODELS
}
# Where models of each kind come from.
MADE = {
    "base": rules.prepare_base.output.model,
    "tuned": rules.finetune.output.model,
    "given": rules.prepare_checkpoint.output.model,
    "restored base": rules.restore_base.output.base,
    "restored": rules.restore_checkpoint.output.tuned,
}


def asked_model(w):
    entry = HARNESS[w.model][w.trained]
    return expand(MADE[entry["kind"]], model=w.model, **entry["wildcards"])[0]


def of_harness(path):
    """``path`` of every model that is asked beside a base model, in their order."""
    return lambda w: expand(path, model=w.model, trained=HARNESS[w.model])


wildcard_constraints:
    trained="|".join(map(re.escape, {name: None for own in HARNESS.values() for name in own}))
    or "base",
