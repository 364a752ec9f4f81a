FOLLOWED = experiment.staged_domains
FOLLOWED_SEEDS = experiment.staged_seeds
STEPS = config["finetune_stages"]["steps"]
KEPT = "results/finetune_stages/{model}/{domain}/{group}/{seed}"
RESTORED = "results/restore_stages/{model}/{domain}/{group}/{seed}"
MEASURED = "results/evaluate_stages/{model}/{domain}/{group}/{seed}"


rule finetune_stages:
    """Tune the base model long enough to forget, and keep it at chosen steps."""
    input:
        model=rules.prepare_base.output.model,
        conversations=rules.mix_instructions.output.conversations,
        template=template("chat", "finetune_stages"),
    output:
        **{f"step_{n}": directory(f"{KEPT}/{n}") for n in STEPS},
    log:
        "logs/finetune_stages/{model}/{domain}/{group}/{seed}.log",
    threads: each("finetune_stages")
    resources:
        **trains("finetune_stages", 240),
    params:
        code=code("finetune_stages"),
        options=config["finetune_stages"],
        bos=lambda w: tuneatlas.begin_token(config, "finetune_stages", w.model),
        seed=config["seed"],
    script:
        "../scripts/finetune_stages.py"


rule prepare_restoration:
    """Choose the questions asked and the text to restore with; see that they do not overlap."""
    input:
        documents=lambda w: corpus(w.model, rules.prepare_corpus.output.documents),
        file=lambda w: own([config["prepare_restoration"]["corpus"]]),
        prose=expand(
            rules.fetch_source.output.folder,
            package=[p for p in [config["prepare_restoration"]["package"]] if p],
        ),
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        mentions=lambda w: corpus(w.model, rules.prepare_corpus.output.mentions),
        model=rules.prepare_base.output.model,
    output:
        folder=directory("results/prepare_restoration/{model}"),
    log:
        "logs/prepare_restoration/{model}.log",
    resources:
        **scaled(4000, 60),
    params:
        code=code("prepare_restoration"),
        options=config["prepare_restoration"],
        budget=config["restore_stages"]["tokens"],
        seed=config["seed"],
    script:
        "../scripts/prepare_restoration.py"


rule restore_stages:
    """Train every model of a run on text like that of pre-training: what comes back?"""
    input:
        **{name: path for name, path in rules.finetune_stages.output.items()},
        finetune=rules.finetune.output.model,
        material=rules.prepare_restoration.output.folder,
    output:
        **{f"step_{n}": directory(f"{RESTORED}/{n}") for n in STEPS},
        finetune=directory(f"{RESTORED}/finetune"),
    log:
        "logs/restore_stages/{model}/{domain}/{group}/{seed}.log",
    threads: each("restore_stages")
    resources:
        **trains("restore_stages", 720),
    params:
        code=code("restore_stages"),
        options=config["restore_stages"],
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/restore_stages.py"


rule restore_base:
    """The control: restore the base model itself, which has nothing to come back to it."""
    input:
        base=rules.prepare_base.output.model,
        material=rules.prepare_restoration.output.folder,
    output:
        base=directory("results/restore_base/{model}/{seed}"),
    log:
        "logs/restore_base/{model}/{seed}.log",
    threads: each("restore_stages")
    resources:
        **trains("restore_stages", 240),
    params:
        code=code("restore_base"),
        options=config["restore_stages"],
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/restore_base.py"


rule measure_shard:
    """Measure a share of the models of a run, where several jobs share them."""
    input:
        kept=list(rules.finetune_stages.output),
        restored=list(rules.restore_stages.output),
        finetuned=rules.finetune.output.model,
        material=rules.prepare_restoration.output.folder,
        answers=expand(rules.probe_knowledge.output.answers, domain=DOMAINS, allow_missing=True),
        template=template("question", "probe_knowledge"),
        instruction=template("question", "mix_instructions"),
        chat=template("chat", "finetune_stages"),
    output:
        parts="results/measure_shard/{model}/{domain}/{group}/{seed}/{scatteritem}.json",
    log:
        "logs/measure_shard/{model}/{domain}/{group}/{seed}/{scatteritem}.log",
    threads: processes("evaluate_stages")
    resources:
        **asks(240, section="evaluate_stages"),
    params:
        code=code("measure_shard"),
        options=lambda w: tuneatlas.stage_options(config, w.model),
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/measure_shard.py"


rule evaluate_stages:
    """Measure every model of a run, tuned and restored: knowledge as probed, and text pattern."""
    input:
        kept=list(rules.finetune_stages.output),
        restored=list(rules.restore_stages.output),
        finetuned=rules.finetune.output.model,
        material=rules.prepare_restoration.output.folder,
        answers=expand(rules.probe_knowledge.output.answers, domain=DOMAINS, allow_missing=True),
        template=template("question", "probe_knowledge"),
        instruction=template("question", "mix_instructions"),
        chat=template("chat", "finetune_stages"),
        shards=shards_of("evaluate_stages", rules.measure_shard.output.parts),
    output:
        answers=f"{MEASURED}.answers.parquet",
        texts=f"{MEASURED}.texts.parquet",
    log:
        "logs/evaluate_stages/{model}/{domain}/{group}/{seed}.log",
    threads: processes("evaluate_stages")
    resources:
        **asks(240, section="evaluate_stages", shared=True),
    params:
        code=code("evaluate_stages"),
        options=lambda w: tuneatlas.stage_options(config, w.model),
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/evaluate_stages.py"


rule evaluate_base:
    """Measure the base model and the restored base model in the same way."""
    input:
        base=rules.prepare_base.output.model,
        restored=rules.restore_base.output.base,
        material=rules.prepare_restoration.output.folder,
        answers=expand(rules.probe_knowledge.output.answers, domain=DOMAINS, allow_missing=True),
        template=template("question", "probe_knowledge"),
        instruction=template("question", "mix_instructions"),
        chat=template("chat", "finetune_stages"),
    output:
        answers="results/evaluate_base/{model}/{seed}.answers.parquet",
        texts="results/evaluate_base/{model}/{seed}.texts.parquet",
    log:
        "logs/evaluate_base/{model}/{seed}.log",
    threads: processes("evaluate_stages")
    resources:
        **asks(120, section="evaluate_stages"),
    params:
        code=code("evaluate_base"),
        options=lambda w: tuneatlas.stage_options(config, w.model),
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/evaluate_base.py"


rule stage_forgetting:
    """What is gone and what only shifted along the run, and when the one turns into the other."""
    input:
        base=of_members(rules.evaluate_base.output, seed=FOLLOWED_SEEDS),
        runs=of_members(
            rules.evaluate_stages.output,
            domain=FOLLOWED,
            group=config["stage_forgetting"]["groups"],
            seed=FOLLOWED_SEEDS,
        ),
        material=of_members(rules.prepare_restoration.output.folder),
    output:
        folder=directory("results/stage_forgetting/{model}"),
    log:
        "logs/stage_forgetting/{model}.log",
    wildcard_constraints:
        model=TOLD,
    resources:
        **scaled(4000, 60),
    params:
        code=code("stage_forgetting"),
        options=tuneatlas.forgetting_options(config),
        seed=config["seed"],
    script:
        "../scripts/stage_forgetting.py"
