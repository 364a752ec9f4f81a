WEIGHTS = tuneatlas.category_weights(config["mix_instructions"])


rule mix_instructions:
    """Write the conversations of one training set: a knowledge group, or a mixture of two."""
    input:
        questions=rules.prepare_questions.output.questions,
        labels=rules.label_knowledge.output.labels,
        explanations=rules.explain_predictions.output.explanations,
        template=template("question", "mix_instructions"),
        # Only where categories of knowledge weigh differently.
        knowledge=rules.probe_knowledge.output.knowledge if WEIGHTS else [],
    output:
        conversations="results/mix_instructions/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/mix_instructions/{model}/{domain}/{group}/{seed}.log",
    benchmark:
        "benchmarks/mix_instructions/{model}/{domain}/{group}/{seed}.tsv"
    resources:
        **scaled(2000, 20),
    params:
        code=code("mix_instructions"),
        # Not the whole section: a further ratio changes nothing in the other mixtures.
        context=config["mix_instructions"]["context"],
        weights=WEIGHTS,
        seed=config["seed"],
    script:
        "../scripts/mix_instructions.py"


rule finetune:
    """Tune the base model on one training set: loss on the assistant's tokens only."""
    input:
        model=rules.prepare_base.output.model,
        conversations=rules.mix_instructions.output.conversations,
        template=template("chat", "finetune"),
    output:
        model=directory("results/finetune/{model}/{domain}/{group}/{seed}"),
    log:
        "logs/finetune/{model}/{domain}/{group}/{seed}.log",
    benchmark:
        "benchmarks/finetune/{model}/{domain}/{group}/{seed}.tsv"
    threads: each("finetune")
    resources:
        **trains("finetune", 240),
    params:
        code=code("finetune"),
        options=config["finetune"],
        bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/finetune.py"
