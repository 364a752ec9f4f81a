# Checkpoints tuned elsewhere, measured beside their base as our own tuned models are.
CHECKPOINTS = tuneatlas.checkpoints(config)
# The models that some were tuned from.
BASES = [model for model in MODELS if tuneatlas.checkpoints(config, model)]


wildcard_constraints:
    checkpoint="|".join(map(re.escape, CHECKPOINTS)),


def given(path):
    """``path`` of a model's comparison, if checkpoints of it are given."""
    return lambda w: expand(path, model=[w.model] if w.model in BASES else [])


def of_base(path):
    """``path`` of every checkpoint of a model, in the order of the config."""
    return lambda w: expand(
        path, model=w.model, checkpoint=tuneatlas.checkpoints(config, w.model)
    )


def chat_begins(w):
    """Whether a checkpoint's prompts in its chat format begin with the begin token."""
    own = tuneatlas.chat_options(config, w.checkpoint)[1]
    return tuneatlas.begin_token(config, "evaluate_knowledge", w.model) if own is None else own


rule prepare_checkpoint:
    """Bring a checkpoint into a plain folder, an adapter merged; refuse what is not of its base."""
    input:
        base=rules.prepare_base.output.model,
        folder=lambda w: own([CHECKPOINTS[w.checkpoint].get("path")]),
    output:
        model=directory("results/prepare_checkpoint/{model}/{checkpoint}"),
    log:
        "logs/prepare_checkpoint/{model}/{checkpoint}.log",
    benchmark:
        "benchmarks/prepare_checkpoint/{model}/{checkpoint}.tsv"
    resources:
        **brings(240),
    params:
        code=code("prepare_checkpoint"),
        options=lambda w: tuneatlas.brought_options(config, w.checkpoint),
    script:
        "../scripts/prepare_checkpoint.py"


rule probe_checkpoint:
    """Ask a checkpoint the test questions of every domain as its base was: few-shot, same prompts."""
    input:
        model=rules.prepare_checkpoint.output.model,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        template=template("question", "probe_knowledge"),
    output:
        answers="results/probe_checkpoint/{model}/{checkpoint}.parquet",
    log:
        "logs/probe_checkpoint/{model}/{checkpoint}.log",
    benchmark:
        "benchmarks/probe_checkpoint/{model}/{checkpoint}.tsv"
    resources:
        **asks(120),
    params:
        code=code("probe_checkpoint"),
        options=lambda w: tuneatlas.asked_options(config, "probe_knowledge", w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        splits=lambda w: {d: tuneatlas.probed_splits(config, w.model, d) for d in DOMAINS},
    script:
        "../scripts/probe_checkpoint.py"


rule evaluate_checkpoint:
    """Ask a checkpoint the test questions of every domain, zero-shot, in its own chat format."""
    input:
        model=rules.prepare_checkpoint.output.model,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        template=template("question", "evaluate_knowledge"),
        chat=lambda w: str(
            HOME
            / f"config/templates/chat/{tuneatlas.chat_options(config, w.checkpoint)[0]}.yaml"
        ),
    output:
        answers="results/evaluate_checkpoint/{model}/{checkpoint}.parquet",
    log:
        "logs/evaluate_checkpoint/{model}/{checkpoint}.log",
    benchmark:
        "benchmarks/evaluate_checkpoint/{model}/{checkpoint}.tsv"
    resources:
        **asks(120),
    params:
        code=code("evaluate_checkpoint"),
        options=lambda w: tuneatlas.asked_options(config, "evaluate_knowledge", w.model),
        bos=chat_begins,
    script:
        "../scripts/evaluate_checkpoint.py"


rule compare_checkpoints:
    """What a base model's checkpoints lost and gained, how much is format, and which differ."""
    input:
        base=expand(rules.probe_knowledge.output.answers, domain=DOMAINS, allow_missing=True),
        models=of_base(rules.prepare_checkpoint.output.model),
        few_shot=of_base(rules.probe_checkpoint.output.answers),
        chat=of_base(rules.evaluate_checkpoint.output.answers),
    output:
        folder=directory("results/compare_checkpoints/{model}"),
    log:
        "logs/compare_checkpoints/{model}.log",
    benchmark:
        "benchmarks/compare_checkpoints/{model}.tsv"
    resources:
        **scaled(4000, 60),
    params:
        code=code("compare_checkpoints"),
        options={k: config["compare_groups"][k] for k in ("draws", "confidence", "epsilon", "ranks")},
        told=lambda w: tuneatlas.told(config, w.model),
        seed=config["seed"],
    script:
        "../scripts/compare_checkpoints.py"
