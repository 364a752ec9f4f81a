ATLAS = config["atlas"]
# The tunings that are measured without further training.
MAPPED = experiment.mapped_domains
MAPPED_SEEDS = experiment.mapped_seeds


rule interpolate_weights:
    """Ask the models between base and tuned: averaged, or with the largest changes undone."""
    input:
        base=rules.prepare_base.output.model,
        finetuned=tuned,
        stages=last_stage,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        answers=lambda w: expand(
            rules.probe_knowledge.output.answers, model=w.model, domain=DOMAINS
        ),
        template=template("question", "probe_knowledge"),
    output:
        answers="results/interpolate_weights/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/interpolate_weights/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        **MEASURED,
    resources:
        # Both ends, what lies between, and the size of each change.
        **asks(240, copies=4),
    params:
        code=code("interpolate_weights"),
        options=lambda w: tuneatlas.interpolation_options(config, w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
    script:
        "../scripts/interpolate_weights.py"


rule measure_distance:
    """How far tuning took a model on what it was tuned on, and what it answers elsewhere."""
    input:
        base=rules.prepare_base.output.model,
        finetuned=tuned,
        stages=all_stages,
        conversations=tuned_on,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        answers=lambda w: expand(
            rules.probe_knowledge.output.answers, model=w.model, domain=DOMAINS
        ),
        template=template("question", "probe_knowledge"),
        instruction=lambda w: template(
            "question", "evaluate_knowledge" if is_given(w) else "mix_instructions"
        ),
        chat=asked_in("finetune"),
        stages_chat=asked_in("finetune_stages"),
    output:
        distances="results/measure_distance/{model}/{domain}/{group}/{seed}.distances.parquet",
        asked="results/measure_distance/{model}/{domain}/{group}/{seed}.answers.parquet",
    log:
        "logs/measure_distance/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        **MEASURED,
    resources:
        **asks(240, copies=2),
    params:
        code=code("measure_distance"),
        options=lambda w: tuneatlas.distance_options(config, w.model, w.group),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        tuned_bos=lambda w: {
            setting: begins_in(section)(w)
            for setting, section in (("finetune", "finetune"), ("stages", "finetune_stages"))
        },
        given_at=steps_given,
        seed=config["seed"],
    script:
        "../scripts/measure_distance.py"


rule relearn_facts:
    """How fast lost facts come back to a tuned model, beside facts that were never known."""
    input:
        finetuned=tuned,
        stages=last_stage,
        material=rules.prepare_restoration.output.folder,
        mentions=lambda w: corpus(w.model, rules.prepare_corpus.output.mentions),
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        answers=lambda w: expand(
            rules.probe_knowledge.output.answers, model=w.model, domain=DOMAINS
        ),
        template=template("question", "probe_knowledge"),
    output:
        answers="results/relearn_facts/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/relearn_facts/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        **MEASURED,
    threads: each("relearn_facts")
    resources:
        **trains("relearn_facts", 240),
    params:
        code=code("relearn_facts"),
        options=lambda w: tuneatlas.relearning_options(config, w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        text_bos=lambda w: config["models"][w.model]["bos"],
        seed=config["seed"],
    script:
        "../scripts/relearn_facts.py"


rule map_treatments:
    """What each measure of the atlas says of each tuning, with intervals."""
    input:
        interpolated=of_mapped(rules.interpolate_weights.output.answers),
        distances=of_measured("distance", rules.measure_distance.output.distances),
        asked=of_measured("distance", rules.measure_distance.output.asked),
        relearned=of_relearnt(rules.relearn_facts.output.answers),
        battery=of_measured("battery", rules.ask_battery.output.answers),
        restored=restored_runs,
        weights=of_measured("changes", rules.measure_changes.output.weights),
        replies=replies,
        similarity=of_measured("changes", rules.measure_changes.output.similarity),
        inside=of_measured("inside", rules.probe_states.output.answers),
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        mentions=lambda w: corpus(replicates_of(w)[0], rules.prepare_corpus.output.mentions),
    output:
        folder=directory("results/map_treatments/{model}"),
    log:
        "logs/map_treatments/{model}.log",
    wildcard_constraints:
        model=TOLD,
    resources:
        **scaled(4000, 60),
    params:
        code=code("map_treatments"),
        options=tuneatlas.map_options(config),
        seed=config["seed"],
    script:
        "../scripts/map_treatments.py"
