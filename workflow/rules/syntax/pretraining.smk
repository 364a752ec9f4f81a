rule prepare_paraphraser:
    """Make a small T5, or bring another encoder-decoder; add the sentinels it lacks."""
    input:
        sentences=rules.prepare_sentences.output.sentences,
        folder=lambda w: own([config["paraphrasers"][w.paraphraser].get("path")]),
        package=lambda w: expand(
            rules.fetch_source.output.folder,
            package=tuneatlas.model_packages(config, w.paraphraser, "paraphrasers"),
        ),
    output:
        model=directory("results/prepare_paraphraser/{paraphraser}"),
    log:
        "logs/prepare_paraphraser/{paraphraser}.log",
    resources:
        **brings(30),
    params:
        code=code("prepare_paraphraser"),
        options=lambda w: tuneatlas.paraphraser_options(config, w.paraphraser),
        seed=config["seed"],
    script:
        "../../scripts/prepare_paraphraser.py"


rule build_tasks:
    """Turn a shard of the trees into the examples of a stage, and hold some trees out."""
    input:
        pairs=rules.prepare_sentences.output.pairs,
        parses=rules.parse_sentences.output.parses,
        # Stage 2 masks what a tokenizer takes for one piece.
        tokenizer=lambda w: (rules.prepare_paraphraser.output.model if w.stage == "syntax" else []),
        labels=lambda w: rules.collect_labels.output.labels if w.stage == "syntax" else [],
    output:
        train="results/build_tasks/{paraphraser}/{stage}/{scatteritem}/train.parquet",
        heldout="results/build_tasks/{paraphraser}/{stage}/{scatteritem}/heldout.parquet",
    log:
        "logs/build_tasks/{paraphraser}/{stage}/{scatteritem}.log",
    resources:
        **scaled(4000, 60),
    params:
        code=code("build_tasks"),
        options=lambda w: tuneatlas.task_options(config, w.stage),
        seed=config["seed"],
    script:
        "../../scripts/build_tasks.py"


rule pretrain_plain:
    """Plain span denoising: makes T5 (vanilla), or trains it on as the stages' control (plain)."""
    input:
        model=lambda w: (
            vanilla(w) if w.start == "plain" else rules.prepare_paraphraser.output.model
        ),
        tasks=lambda w: examples_of("plain", w.paraphraser),
        # The control sees as many tokens as both stages do.
        structure=lambda w: (examples_of("structure", w.paraphraser) if w.start == "plain" else []),
        syntax=lambda w: (examples_of("syntax", w.paraphraser) if w.start == "plain" else []),
        labels=lambda w: (rules.collect_labels.output.labels if w.start == "plain" else []),
    output:
        model=directory("results/pretrain_plain/{paraphraser}/{start}"),
    log:
        "logs/pretrain_plain/{paraphraser}/{start}.log",
    threads: each("pretrain_plain")
    resources:
        **trains("pretrain_plain", 240),
    params:
        code=code("pretrain_plain"),
        options=lambda w: tuneatlas.plain_options(config, w.start),
        seed=config["seed"],
    script:
        "../../scripts/pretrain_plain.py"


rule pretrain_structure:
    """Stage 1: train on trees of which only the structure is left."""
    input:
        model=vanilla,
        tasks=lambda w: examples_of("structure", w.paraphraser),
    output:
        model=directory("results/pretrain_structure/{paraphraser}"),
    log:
        "logs/pretrain_structure/{paraphraser}.log",
    threads: each("pretrain_structure")
    resources:
        **trains("pretrain_structure", 240),
    params:
        code=code("pretrain_structure"),
        options=config["pretrain_structure"],
        seed=config["seed"],
    script:
        "../../scripts/pretrain_structure.py"


rule pretrain_syntax:
    """Stage 2: train on real trees, without stage 1 (start: syntax) or with it, whole or masked."""
    input:
        model=lambda w: (
            vanilla(w) if w.start == "syntax" else rules.pretrain_structure.output.model
        ),
        tasks=lambda w: examples_of("syntax", w.paraphraser),
        labels=rules.collect_labels.output.labels,
    output:
        model=directory("results/pretrain_syntax/{paraphraser}/{start}"),
    log:
        "logs/pretrain_syntax/{paraphraser}/{start}.log",
    threads: each("pretrain_syntax")
    resources:
        **trains("pretrain_syntax", 240),
    params:
        code=code("pretrain_syntax"),
        options=lambda w: tuneatlas.syntax_options(config, w.start),
        seed=config["seed"],
    script:
        "../../scripts/pretrain_syntax.py"


rule evaluate_tasks:
    """Measure a pre-trained model on the tasks of held-out trees."""
    input:
        model=model_of_start,
        tasks=lambda w: every_shard(
            rules.build_tasks.output.heldout,
            stage="structure" if w.start == "structure" else "syntax",
            paraphraser=w.paraphraser,
        ),
    output:
        scores="results/evaluate_tasks/{paraphraser}/{start}.parquet",
    log:
        "logs/evaluate_tasks/{paraphraser}/{start}.log",
    resources:
        **asks(120),
    params:
        code=code("evaluate_tasks"),
        options=config["evaluate_tasks"] | {"form": config["build_tasks"]["structure_form"]},
    script:
        "../../scripts/evaluate_tasks.py"
