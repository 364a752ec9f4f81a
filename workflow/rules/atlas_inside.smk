# Measures of the atlas that ask base and tuned models themselves, with nothing made between them.


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
        chat=template("chat", "evaluate_knowledge"),
    output:
        answers="results/ask_battery/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/ask_battery/{model}/{domain}/{group}/{seed}.log",
    resources:
        **asks(240),
    params:
        code=code("ask_battery"),
        options=lambda w: tuneatlas.battery_options(config, w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        chat_bos=lambda w: tuneatlas.begin_token(config, "evaluate_knowledge", w.model),
    script:
        "../scripts/ask_battery.py"
