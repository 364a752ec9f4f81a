TREATMENTS = config["treatments"]


rule finetune_treatment:
    """Tune the base model in another way, on what it is tuned on in a group."""
    input:
        model=rules.prepare_base.output.model,
        conversations=lambda w: expand(
            rules.mix_instructions.output.conversations,
            **{**w, "group": TREATMENTS[w.group]["of"]},
        )[0],
        documents=replayed_text,
        template=template("chat", "finetune"),
    output:
        model=directory("results/finetune_treatment/{model}/{domain}/{group}/{seed}"),
    log:
        "logs/finetune_treatment/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        group="|".join(TREATMENTS) or "none",
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
