rule report:
    """One page per base model: what was run, what came out, and how sure that is."""
    input:
        comparison=[rules.compare_groups.output.folder] if TUNED else [],
        checkpoints=given(rules.compare_checkpoints.output.folder),
        restored=given(rules.stage_checkpoints.output.folder, STAGED),
        stages=[rules.stage_forgetting.output.folder] if FOLLOWED else [],
        atlas=lambda w: expand(
            rules.map_treatments.output.folder, model=filter(is_mapped, [w.model])
        ),
        paraphrases=expand(rules.compare_paraphrases.output.folder, paraphraser=REWRITERS),
        harness=(
            of_members(rules.compare_harness.output.folder)
            if config["evaluate_harness"]["tasks"]
            else []
        ),
        models=of_members(rules.prepare_base.output.model),
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        # Samples are those of the first replicate.
        labels=all_of(labels, TUNED, slice(1)),
        explanations=all_of(explanations, TUNED, slice(1)),
        # Told beside this run's, if another is named.
        beside=lambda w: own([tuneatlas.beside(config, w.model)]),
    output:
        page="results/report/{model}.html",
    log:
        "logs/report/{model}.log",
    wildcard_constraints:
        model=TOLD,
    resources:
        **scaled(2000, 20),
    params:
        code=code("report"),
        options=SCIENCE,
        command=lambda w: tuneatlas.command(STARTED_WITH, BESIDE, MAIN),
    script:
        "../scripts/report.py"


rule report_map:
    """The map of the atlas: treatments by measures, two of them compared by a click."""
    input:
        atlas=rules.map_treatments.output.folder,
    output:
        page="results/report_map/{model}.html",
    log:
        "logs/report_map/{model}.log",
    wildcard_constraints:
        model=TOLD,
    resources:
        **scaled(2000, 20),
    params:
        code=code("report_map"),
    script:
        "../scripts/report_map.py"


rule report_syntax:
    """The page of the syntax study, where it is studied alone."""
    input:
        paraphrases=expand(rules.compare_paraphrases.output.folder, paraphraser=REWRITERS),
    output:
        page="results/report_syntax/page.html",
    log:
        "logs/report_syntax.log",
    resources:
        **scaled(2000, 20),
    params:
        code=code("report_syntax"),
        options=SCIENCE,
        command=lambda w: tuneatlas.command(STARTED_WITH, BESIDE, MAIN),
    script:
        "../scripts/report_syntax.py"


rule index:
    """The page to open: the report of the one model, or a list of the models' reports."""
    input:
        pages=expand(rules.report.output.page, model=dict.fromkeys([*MEMBERS, *BASES])),
        syntax=[] if MODELS else rules.report_syntax.output.page,
    output:
        page="results/report/index.html",
    log:
        "logs/index.log",
    resources:
        **scaled(1000, 10),
    params:
        code=code("index"),
    script:
        "../scripts/index.py"


rule audit:
    """The audit page: what these results rest on, down to each item; see docs/auditing.md."""
    input:
        comparisons=expand(rules.compare_groups.output.folder, model=MEMBERS if TUNED else []),
        checkpoints=expand(rules.compare_checkpoints.output.folder, model=BASES),
        restored=expand(rules.stage_checkpoints.output.folder, model=STAGED),
        stages=expand(rules.stage_forgetting.output.folder, model=MEMBERS if FOLLOWED else []),
        atlas=expand(rules.map_treatments.output.folder, model=filter(is_mapped, MEMBERS)),
        paraphrases=expand(rules.compare_paraphrases.output.folder, paraphraser=REWRITERS),
        harness=expand(
            rules.compare_harness.output.folder,
            model=MODELS if config["evaluate_harness"]["tasks"] else [],
        ),
    output:
        folder=directory("results/audit"),
    log:
        "logs/audit.log",
    resources:
        **scaled(4000, 60),
    params:
        code=code("audit"),
    script:
        "../scripts/audit.py"
