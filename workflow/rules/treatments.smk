TREATMENTS = config["treatments"]
REWARDED = {name for name, treatment in TREATMENTS.items() if treatment["reward"]}


rule explain_treatment:
    """Let a model explain a group's labels: right ones in its own words, or those of another."""
    input:
        model=lambda w: expand(rules.prepare_base.output.model, model=writer(w))[0],
        questions=rules.prepare_questions.output.questions,
        labels=labels,
        template=template("explain", "explain_predictions"),
    output:
        explanations="results/explain_treatment/{model}/{domain}/{group}.parquet",
    log:
        "logs/explain_treatment/{model}/{domain}/{group}.log",
    wildcard_constraints:
        group=one_of(TREATMENTS),
    resources:
        **asks(240, tuned=False),
    params:
        code=code("explain_treatment"),
        options=lambda w: tuneatlas.asked_options(config, "explain_predictions", writer(w)),
        group=lambda w: TREATMENTS[w.group]["of"],
        bos=lambda w: tuneatlas.begin_token(config, "explain_predictions", writer(w)),
        seed=config["seed"],
    script:
        "../scripts/explain_treatment.py"


rule mix_treatment:
    """Write the conversations of a group with its labels explained in other words."""
    input:
        questions=rules.prepare_questions.output.questions,
        labels=labels,
        explanations=explanations,
        words=rules.explain_treatment.output.explanations,
        template=template("question", "mix_instructions"),
        knowledge=rules.probe_knowledge.output.knowledge if WEIGHTS else [],
        general=lambda w: own([MIXED_IN["path"]]),
    output:
        conversations="results/mix_treatment/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/mix_treatment/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        group=one_of(TREATMENTS),
    resources:
        **scaled(2000, 20),
    params:
        code=code("mix_treatment"),
        group=lambda w: TREATMENTS[w.group]["of"],
        context=config["mix_instructions"]["context"],
        unfinished=config["explain_predictions"]["unfinished"],
        ratio=MIXED_IN["ratio"],
        weights=WEIGHTS,
        seed=config["seed"],
    script:
        "../scripts/mix_treatment.py"


rule finetune_treatment:
    """Tune the base model in another way, on what it is tuned on in a group."""
    input:
        model=rules.prepare_base.output.model,
        conversations=tuned_on,
        rejected=rejected,
        documents=replayed_text,
        template=template("chat", "finetune"),
    output:
        model=directory("results/finetune_treatment/{model}/{domain}/{group}/{seed}"),
    log:
        "logs/finetune_treatment/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        group=one_of(TREATMENTS.keys() - REWARDED),
    threads: each("finetune")
    resources:
        # The base too, where the tuned model is held to it.
        **trains("finetune", 240, copies=2),
    params:
        code=code("finetune_treatment"),
        options=lambda w: tuneatlas.treatment_options(config, w.group),
        bos=lambda w: tuneatlas.begin_token(config, "finetune", w.model),
        seed=config["seed"],
    script:
        "../scripts/finetune_treatment.py"


rule reinforce_treatment:
    """Tune the base model by rewards for its own replies to a group's questions."""
    input:
        model=rules.prepare_base.output.model,
        conversations=tuned_on,
        questions=rules.prepare_questions.output.questions,
        template=template("chat", "finetune"),
        instruction=template("question", "mix_instructions"),
    output:
        model=directory("results/reinforce_treatment/{model}/{domain}/{group}/{seed}"),
        replies="results/reinforce_treatment/{model}/{domain}/{group}/{seed}.replies.parquet",
    log:
        "logs/reinforce_treatment/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        group=one_of(REWARDED),
    threads: each("finetune")
    resources:
        # The base too, to which the tuned model is held, and what is kept of replies as they grow.
        **trains("finetune", 480, copies=2),
    params:
        code=code("reinforce_treatment"),
        options=lambda w: tuneatlas.treatment_options(config, w.group),
        bos=lambda w: tuneatlas.begin_token(config, "finetune", w.model),
        patience=lambda w: TREATMENTS[w.group]["patience"],
        seed=config["seed"],
    script:
        "../scripts/reinforce_treatment.py"
