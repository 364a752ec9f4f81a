rule evaluate_harness:
    """Ask a model the tasks of lm-evaluation-harness, by its own library, beside our scorer."""
    input:
        tasks=lambda w: own([config["evaluate_harness"]["include_path"]]),
        model=asked_model,
    output:
        metrics="results/evaluate_harness/{model}/{trained}.json",
        samples="results/evaluate_harness/{model}/{trained}.parquet",
    log:
        "logs/evaluate_harness/{model}/{trained}.log",
    resources:
        **asks(240),
    params:
        code=code("evaluate_harness"),
        options=lambda w: tuneatlas.asked_options(config, "evaluate_harness", w.model),
        bos=lambda w: HARNESS[w.model][w.trained]["bos"],
        inside=lambda w: HARNESS[w.model][w.trained]["inside"],
    script:
        "../scripts/evaluate_harness.py"


rule compare_harness:
    """What tuning and restoration change in tasks of lm-evaluation-harness, item by item."""
    input:
        metrics=of_harness(rules.evaluate_harness.output.metrics),
        samples=of_harness(rules.evaluate_harness.output.samples),
    output:
        folder=directory("results/compare_harness/{model}"),
    log:
        "logs/compare_harness/{model}.log",
    resources:
        **scaled(4000, 60),
    params:
        code=code("compare_harness"),
        options={k: config["compare_groups"][k] for k in ("draws", "confidence")},
        asked=lambda w: tuneatlas.compared_by_harness(HARNESS[w.model]),
        seed=config["seed"],
    script:
        "../scripts/compare_harness.py"
