# Measures of the atlas that ask base and tuned models themselves, with nothing made between them.
# What the atlas measures: tunings by domain and group, and checkpoints tuned elsewhere.
MEASURED = {
    "domain": one_of([*DOMAINS, tuneatlas.GIVEN]),
    "group": one_of([*GROUPS, *TREATMENTS, *config["atlas"]["checkpoints"]]),
}


rule ask_battery:
    """Ask base and tuned models the test questions in other ways: gone, or out of reach?"""
    input:
        base=rules.prepare_base.output.model,
        finetuned=tuned,
        stages=last_stage,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        answers=lambda w: expand(
            rules.probe_knowledge.output.answers, model=w.model, domain=DOMAINS
        ),
        template=template("question", "probe_knowledge"),
        chat_template=template("question", "evaluate_knowledge"),
        chat=asked_in("evaluate_knowledge"),
    output:
        answers="results/ask_battery/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/ask_battery/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        **MEASURED,
    resources:
        **asks(240),
    params:
        code=code("ask_battery"),
        options=lambda w: tuneatlas.battery_options(config, w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        chat_bos=begins_in("evaluate_knowledge"),
    script:
        "../scripts/ask_battery.py"


rule measure_changes:
    """Where tuning changed a model: weights, and hidden states of what was kept and lost."""
    input:
        base=rules.prepare_base.output.model,
        finetuned=tuned,
        stages=last_stage,
        battery=rules.ask_battery.output.answers,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        mentions=lambda w: corpus(w.model, rules.prepare_corpus.output.mentions),
        answers=lambda w: expand(
            rules.probe_knowledge.output.answers, model=w.model, domain=DOMAINS
        ),
    output:
        weights="results/measure_changes/{model}/{domain}/{group}/{seed}.weights.parquet",
        similarity="results/measure_changes/{model}/{domain}/{group}/{seed}.similarity.parquet",
    log:
        "logs/measure_changes/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        **MEASURED,
    resources:
        # Both models, and a copy of the weights of each.
        **asks(240, copies=4),
    params:
        code=code("measure_changes"),
        options=lambda w: tuneatlas.inside_options(config, w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
    script:
        "../scripts/measure_changes.py"


rule probe_states:
    """Ask a linear probe on hidden states: is the right option there, where it is not said?"""
    input:
        base=rules.prepare_base.output.model,
        finetuned=tuned,
        stages=last_stage,
        battery=rules.ask_battery.output.answers,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        mentions=lambda w: corpus(w.model, rules.prepare_corpus.output.mentions),
        answers=lambda w: expand(
            rules.probe_knowledge.output.answers, model=w.model, domain=DOMAINS
        ),
        template=template("question", "probe_knowledge"),
    output:
        answers="results/probe_states/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/probe_states/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        **MEASURED,
    resources:
        **asks(240, copies=2),
    params:
        code=code("probe_states"),
        options=lambda w: tuneatlas.inside_options(config, w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        seed=config["seed"],
    script:
        "../scripts/probe_states.py"
