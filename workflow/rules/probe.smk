rule probe_knowledge:
    """Ask the base model every question, few-shot, and keep the probability of each option."""
    input:
        model=rules.prepare_base.output.model,
        questions=rules.prepare_questions.output.questions,
        template=template("question", "probe_knowledge"),
    output:
        answers="results/probe_knowledge/{model}/{domain}.parquet",
        knowledge="results/probe_knowledge/{model}/categories/{domain}.parquet",
    log:
        "logs/probe_knowledge/{model}/{domain}.log",
    benchmark:
        "benchmarks/probe_knowledge/{model}/{domain}.tsv"
    resources:
        **asks(120, tuned=False),
    params:
        code=code("probe_knowledge"),
        options=lambda w: tuneatlas.asked_options(config, "probe_knowledge", w.model),
        bos=lambda w: config["models"][w.model]["bos"],
    script:
        "../scripts/probe_knowledge.py"


rule label_knowledge:
    """Split training questions by whether the base model's answer agrees with the right one."""
    input:
        answers=rules.probe_knowledge.output.answers,
    output:
        labels="results/label_knowledge/{model}/{domain}.parquet",
    log:
        "logs/label_knowledge/{model}/{domain}.log",
    benchmark:
        "benchmarks/label_knowledge/{model}/{domain}.tsv"
    resources:
        **scaled(2000, 20),
    params:
        code=code("label_knowledge"),
        options=config["label_knowledge"],
        seed=config["seed"],
    script:
        "../scripts/label_knowledge.py"


rule explain_predictions:
    """Let the base model explain its own wrong answers: the text that SELF-ALIGNING trains on."""
    input:
        model=rules.prepare_base.output.model,
        questions=rules.prepare_questions.output.questions,
        labels=rules.label_knowledge.output.labels,
        template=template("explain", "explain_predictions"),
    output:
        explanations="results/explain_predictions/{model}/{domain}.parquet",
    log:
        "logs/explain_predictions/{model}/{domain}.log",
    benchmark:
        "benchmarks/explain_predictions/{model}/{domain}.tsv"
    resources:
        **asks(240, tuned=False),
    params:
        code=code("explain_predictions"),
        options=lambda w: tuneatlas.asked_options(config, "explain_predictions", w.model),
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/explain_predictions.py"
