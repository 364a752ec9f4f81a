# Checkpoints tuned elsewhere, measured beside their base as our own tuned models are.
CHECKPOINTS = tuneatlas.checkpoints(config)
# The models that some were tuned from.
BASES = [model for model in MODELS if tuneatlas.checkpoints(config, model)]
# Those of which some are restored.
STAGED = [model for model in BASES if tuneatlas.followed(config, model)]


RESTORED = tuneatlas.restored(config)


wildcard_constraints:
    checkpoint="|".join(map(re.escape, CHECKPOINTS)),


def chat_of(checkpoint):
    """The file of the chat template that a checkpoint is asked in."""
    return str(HOME / f"config/templates/chat/{tuneatlas.chat_template(config, checkpoint)}.yaml")


def given(path, models=BASES):
    """``path`` of a model's comparison, if it is one of ``models``."""
    return lambda w: expand(path, model=[w.model] if w.model in models else [])


def of_followed(paths):
    """``paths`` of every checkpoint of a model that is restored, under each seed."""
    names = lambda w: [entry["checkpoint"] for entry in tuneatlas.followed(config, w.model)]
    return lambda w: expand(paths, model=w.model, checkpoint=names(w), seed=SEEDS)


def of_base(path):
    """``path`` of every checkpoint of a model, in the order of the config."""
    return lambda w: expand(path, model=w.model, checkpoint=tuneatlas.checkpoints(config, w.model))
