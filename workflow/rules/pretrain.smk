rule build_tasks:
    """Turn trees into the examples of a pre-training stage, and hold some trees out."""
    input:
        pairs=rules.prepare_sentences.output.pairs,
        parses=rules.prepare_paraphrases.input.parses,
    output:
        train="results/build_tasks/{stage}/train.parquet",
        heldout="results/build_tasks/{stage}/heldout.parquet",
    log:
        "logs/build_tasks/{stage}.log",
    benchmark:
        "benchmarks/build_tasks/{stage}.tsv"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code("build_tasks"),
        options=lambda w: task_options(w.stage),
        seed=config["seed"],
    script:
        "../scripts/build_tasks.py"


rule prepare_paraphraser:
    """Make a small T5, or bring another encoder-decoder; add the tokens for structure."""
    input:
        sentences=rules.prepare_sentences.output.sentences,
    output:
        model=directory("results/prepare_paraphraser/{paraphraser}"),
    log:
        "logs/prepare_paraphraser/{paraphraser}.log",
    benchmark:
        "benchmarks/prepare_paraphraser/{paraphraser}.tsv"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code("prepare_paraphraser"),
        options=lambda w: config["paraphrasers"][w.paraphraser],
        seed=config["seed"],
    script:
        "../scripts/prepare_paraphraser.py"


rule pretrain_structure:
    """Stage 1: train on trees of which only the structure is left."""
    input:
        model=rules.prepare_paraphraser.output.model,
        tasks=expand(rules.build_tasks.output.train, stage="structure")[0],
    output:
        model=directory("results/pretrain_structure/{paraphraser}"),
    log:
        "logs/pretrain_structure/{paraphraser}.log",
    benchmark:
        "benchmarks/pretrain_structure/{paraphraser}.tsv"
    threads: each(config["pretrain_structure"])
    resources:
        **devices(config["pretrain_structure"]),
        mem_mb=8000,
        runtime=240,
    params:
        code=code("pretrain_structure"),
        options=config["pretrain_structure"],
        seed=config["seed"],
    script:
        "../scripts/pretrain_structure.py"


rule pretrain_syntax:
    """Stage 2: train on real trees, with stage 1 (start: both) or without (start: syntax)."""
    input:
        model=lambda w: (
            rules.pretrain_structure.output.model
            if w.start == "both"
            else rules.prepare_paraphraser.output.model
        ),
        tasks=expand(rules.build_tasks.output.train, stage="syntax")[0],
        parses=rules.prepare_paraphrases.input.parses,
    output:
        model=directory("results/pretrain_syntax/{paraphraser}/{start}"),
    log:
        "logs/pretrain_syntax/{paraphraser}/{start}.log",
    benchmark:
        "benchmarks/pretrain_syntax/{paraphraser}/{start}.tsv"
    threads: each(config["pretrain_syntax"])
    resources:
        **devices(config["pretrain_syntax"]),
        mem_mb=8000,
        runtime=240,
    params:
        code=code("pretrain_syntax"),
        options=config["pretrain_syntax"],
        seed=config["seed"],
    script:
        "../scripts/pretrain_syntax.py"


# The model that each start names.
STARTS = {
    "vanilla": rules.prepare_paraphraser.output.model,
    "structure": rules.pretrain_structure.output.model,
    "syntax": rules.pretrain_syntax.output.model,
    "both": rules.pretrain_syntax.output.model,
}


rule evaluate_tasks:
    """Measure a pre-trained model on the tasks of held-out trees."""
    input:
        model=lambda w: STARTS[w.start],
        tasks=lambda w: expand(
            rules.build_tasks.output.heldout,
            stage="structure" if w.start == "structure" else "syntax",
        )[0],
    output:
        scores="results/evaluate_tasks/{paraphraser}/{start}.parquet",
    log:
        "logs/evaluate_tasks/{paraphraser}/{start}.log",
    benchmark:
        "benchmarks/evaluate_tasks/{paraphraser}/{start}.tsv"
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=1,
    params:
        code=code("evaluate_tasks"),
        options=config["evaluate_tasks"] | {"form": config["build_tasks"]["form"]},
    script:
        "../scripts/evaluate_tasks.py"
