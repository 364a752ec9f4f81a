rule evaluate_knowledge:
    """Ask the tuned model the test questions of every domain, zero-shot, in its chat template."""
    input:
        model=rules.finetune.output.model,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        template=template("question", "evaluate_knowledge"),
        chat=template("chat", "evaluate_knowledge"),
    output:
        answers="results/evaluate_knowledge/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/evaluate_knowledge/{model}/{domain}/{group}/{seed}.log",
    benchmark:
        "benchmarks/evaluate_knowledge/{model}/{domain}/{group}/{seed}.tsv"
    resources:
        **asks(120),
    params:
        code=code("evaluate_knowledge"),
        options=lambda w: tuneatlas.asked_options(config, "evaluate_knowledge", w.model),
        bos=lambda w: config["models"][w.model]["bos"],
    script:
        "../scripts/evaluate_knowledge.py"


rule compare_groups:
    """Accuracy and consistency of every group, with intervals, and the two claims of the study."""
    input:
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        mentions=lambda w: corpus(w.model, rules.prepare_corpus.output.mentions),
        base=expand(rules.probe_knowledge.output.answers, domain=DOMAINS, allow_missing=True),
        labels=expand(rules.label_knowledge.output.labels, domain=DOMAINS, allow_missing=True),
        tuned=expand(
            rules.evaluate_knowledge.output.answers,
            domain=TUNED,
            group=GROUPS,
            seed=SEEDS,
            allow_missing=True,
        ),
    output:
        folder=directory("results/compare_groups/{model}"),
    log:
        "logs/compare_groups/{model}.log",
    benchmark:
        "benchmarks/compare_groups/{model}.tsv"
    resources:
        **scaled(4000, 60),
    params:
        code=code("compare_groups"),
        options=config["compare_groups"],
        seed=config["seed"],
    script:
        "../scripts/compare_groups.py"


rule report:
    """One page per base model: what was run, what came out, and how sure that is."""
    input:
        comparison=rules.compare_groups.output.folder,
        stages=[rules.stage_forgetting.output.folder] if FOLLOWED else [],
        paraphrases=expand(rules.compare_paraphrases.output.folder, paraphraser=PARAPHRASERS),
        model=rules.prepare_base.output.model,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        labels=expand(rules.label_knowledge.output.labels, domain=TUNED, allow_missing=True),
        explanations=expand(
            rules.explain_predictions.output.explanations,
            domain=TUNED,
            allow_missing=True,
        ),
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
        command=lambda w: tuneatlas.command(CONFIG_FILES, BESIDE),
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
