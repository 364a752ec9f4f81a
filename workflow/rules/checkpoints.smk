rule prepare_checkpoint:
    """Bring a checkpoint into a plain folder, an adapter merged; refuse what is not of its base."""
    input:
        base=rules.prepare_base.output.model,
        folder=lambda w: own([CHECKPOINTS[w.checkpoint].get("path")]),
    output:
        model=directory("results/prepare_checkpoint/{model}/{checkpoint}"),
    log:
        "logs/prepare_checkpoint/{model}/{checkpoint}.log",
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
    threads: processes("probe_knowledge")
    resources:
        **asks(120, section="probe_knowledge"),
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
        chat=lambda w: chat_of(w.checkpoint),
    output:
        answers="results/evaluate_checkpoint/{model}/{checkpoint}.parquet",
    log:
        "logs/evaluate_checkpoint/{model}/{checkpoint}.log",
    threads: processes("evaluate_knowledge")
    resources:
        **asks(120, section="evaluate_knowledge"),
    params:
        code=code("evaluate_checkpoint"),
        options=lambda w: tuneatlas.asked_options(config, "evaluate_knowledge", w.model),
        bos=lambda w: tuneatlas.chat_begins(config, w.checkpoint),
    script:
        "../scripts/evaluate_checkpoint.py"


rule compare_checkpoints:
    """What a base model's checkpoints lost and gained, how much is format, and which differ."""
    input:
        base=expand(rules.probe_knowledge.output.answers, domain=DOMAINS, allow_missing=True),
        categories=expand(
            rules.probe_knowledge.output.knowledge, domain=DOMAINS, allow_missing=True
        ),
        models=of_base(rules.prepare_checkpoint.output.model),
        few_shot=of_base(rules.probe_checkpoint.output.answers),
        chat=of_base(rules.evaluate_checkpoint.output.answers),
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        # Of those that name one.
        trained_on=lambda w: own(tuneatlas.trained_on(config, w.model)),
    output:
        folder=directory("results/compare_checkpoints/{model}"),
    log:
        "logs/compare_checkpoints/{model}.log",
    resources:
        **scaled(4000, 60),
    params:
        code=code("compare_checkpoints"),
        options={
            k: config["compare_groups"][k] for k in ("draws", "confidence", "epsilon", "ranks")
        },
        told=lambda w: tuneatlas.told(config, w.model),
        overlap={k: config["prepare_restoration"][k] for k in ("ngram", "overlap_share")},
        seed=config["seed"],
    script:
        "../scripts/compare_checkpoints.py"


rule restore_checkpoint:
    """Train a checkpoint on text like that of pre-training, as its base is: what comes back?"""
    input:
        tuned=rules.prepare_checkpoint.output.model,
        material=rules.prepare_restoration.output.folder,
    output:
        tuned=directory("results/restore_checkpoint/{model}/{checkpoint}/{seed}"),
    log:
        "logs/restore_checkpoint/{model}/{checkpoint}/{seed}.log",
    threads: each("restore_stages")
    resources:
        **trains("restore_stages", 240),
    params:
        code=code("restore_checkpoint"),
        options=config["restore_stages"],
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/restore_checkpoint.py"


rule measure_checkpoint:
    """Measure a checkpoint, as given and restored: knowledge as probed, and text pattern."""
    input:
        tuned=rules.prepare_checkpoint.output.model,
        restored=rules.restore_checkpoint.output.tuned,
        material=rules.prepare_restoration.output.folder,
        answers=expand(rules.probe_knowledge.output.answers, domain=DOMAINS, allow_missing=True),
        template=template("question", "probe_knowledge"),
        instruction=template("question", "mix_instructions"),
        chat=template("chat", "finetune_stages"),
    output:
        answers="results/measure_checkpoint/{model}/{checkpoint}/{seed}.answers.parquet",
        texts="results/measure_checkpoint/{model}/{checkpoint}/{seed}.texts.parquet",
    log:
        "logs/measure_checkpoint/{model}/{checkpoint}/{seed}.log",
    threads: processes("evaluate_stages")
    resources:
        **asks(120, section="evaluate_stages"),
    params:
        code=code("measure_checkpoint"),
        options=lambda w: tuneatlas.stage_options(config, w.model),
        bos=lambda w: config["models"][w.model]["bos"],
        step=lambda w: CHECKPOINTS[w.checkpoint].get("step", 0),
        seed=config["seed"],
    script:
        "../scripts/measure_checkpoint.py"


rule stage_checkpoints:
    """What a base model's checkpoints lost for good, what only shifted, and from which step on."""
    input:
        base=expand(rules.evaluate_base.output, seed=SEEDS, allow_missing=True),
        runs=of_followed(rules.measure_checkpoint.output),
        material=rules.prepare_restoration.output.folder,
    output:
        folder=directory("results/stage_checkpoints/{model}"),
    log:
        "logs/stage_checkpoints/{model}.log",
    resources:
        **scaled(4000, 60),
    params:
        code=code("stage_checkpoints"),
        options=tuneatlas.forgetting_options(config),
        followed=lambda w: tuneatlas.followed(config, w.model),
        tokens=config["restore_stages"]["tokens"],
        seed=config["seed"],
    script:
        "../scripts/stage_checkpoints.py"
