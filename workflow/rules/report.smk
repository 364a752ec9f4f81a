rule report:
    """One page per base model: what was run, what came out, and how sure that is."""
    input:
        comparison=[rules.compare_groups.output.folder] if TUNED else [],
        checkpoints=given(rules.compare_checkpoints.output.folder),
        stages=[rules.stage_forgetting.output.folder] if FOLLOWED else [],
        paraphrases=expand(rules.compare_paraphrases.output.folder, paraphraser=PARAPHRASERS),
        model=rules.prepare_base.output.model,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        labels=all_of(labels, TUNED),
        explanations=all_of(explanations, TUNED),
        # Told beside this run's, if another is named.
        beside=lambda w: own([tuneatlas.beside(config, w.model)]),
    output:
        page="results/report/{model}.html",
    log:
        "logs/report/{model}.log",
    benchmark:
        "benchmarks/report/{model}.tsv"
    resources:
        **scaled(2000, 20),
    params:
        code=code("report"),
        options=SCIENCE,
        command=lambda w: tuneatlas.command(STARTED_WITH, BESIDE, MAIN),
    script:
        "../scripts/report.py"


rule index:
    """The page to open: the report of the one model, or a list of the models' reports."""
    input:
        pages=expand(rules.report.output.page, model=MODELS),
    output:
        page="results/report/index.html",
    log:
        "logs/index.log",
    benchmark:
        "benchmarks/index.tsv"
    resources:
        **scaled(1000, 10),
    params:
        code=code("index"),
    script:
        "../scripts/index.py"


rule audit:
    """The audit page: what these results rest on, down to each item; see docs/auditing.md."""
    input:
        comparisons=expand(rules.compare_groups.output.folder, model=MODELS if TUNED else []),
        checkpoints=expand(rules.compare_checkpoints.output.folder, model=BASES),
        stages=expand(rules.stage_forgetting.output.folder, model=MODELS if FOLLOWED else []),
        paraphrases=expand(rules.compare_paraphrases.output.folder, paraphraser=PARAPHRASERS),
    output:
        folder=directory("results/audit"),
    log:
        "logs/audit.log",
    benchmark:
        "benchmarks/audit.tsv"
    resources:
        **scaled(4000, 60),
    params:
        code=code("audit"),
    script:
        "../scripts/audit.py"
