rule audit:
    """The audit page: what these results rest on, down to each item; see docs/auditing.md."""
    input:
        comparisons=expand(rules.compare_groups.output.folder, model=MODELS),
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
