# Models asked by lm-evaluation-harness, if the config names tasks: the base model and all tuned.
TRAINED = ["base", *expand("{d}/{g}/{s}", d=TUNED, g=GROUPS, s=SEEDS)]


wildcard_constraints:
    trained="|".join(TRAINED),


rule evaluate_harness:
    """Ask a model the tasks of lm-evaluation-harness, by its own library, beside our scorer."""
    input:
        tasks=own([config["evaluate_harness"]["include_path"]]),
        model=lambda w: expand(
            (rules.prepare_base if w.trained == "base" else rules.finetune).output.model,
            **dict(zip(["domain", "group", "seed"], w.trained.split("/"))),
            allow_missing=True,
        )[0],
    output:
        metrics="results/evaluate_harness/{model}/{trained}.json",
    log:
        "logs/evaluate_harness/{model}/{trained}.log",
    resources:
        **asks(240),
    params:
        code=code("evaluate_harness"),
        options=lambda w: tuneatlas.asked_options(config, "evaluate_harness", w.model),
        bos=lambda w: config["models"][w.model]["bos"],
    script:
        "../scripts/evaluate_harness.py"
