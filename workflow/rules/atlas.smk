ATLAS = config["atlas"]
# The tunings that are measured without further training.
MAPPED = experiment.mapped_domains
MAPPED_SEEDS = experiment.mapped_seeds


rule interpolate_weights:
    """Ask the models between base and tuned: averaged, or with the largest changes undone."""
    input:
        base=rules.prepare_base.output.model,
        finetuned=rules.finetune.output.model,
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
    resources:
        # Both ends, what lies between, and the size of each change.
        **asks(240, copies=4),
    params:
        code=code("interpolate_weights"),
        options=lambda w: tuneatlas.interpolation_options(config, w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
    script:
        "../scripts/interpolate_weights.py"


rule map_treatments:
    """What each measure of the atlas says of each tuning, with intervals."""
    input:
        interpolated=of_members(
            rules.interpolate_weights.output.answers,
            domain=MAPPED,
            group=ATLAS["groups"],
            seed=MAPPED_SEEDS,
        ),
        battery=of_members(
            rules.ask_battery.output.answers,
            domain=MAPPED,
            group=ATLAS["groups"],
            seed=MAPPED_SEEDS,
        ),
        restored=restored_runs,
        weights=of_members(
            rules.measure_changes.output.weights,
            domain=MAPPED,
            group=ATLAS["groups"],
            seed=MAPPED_SEEDS,
        ),
        similarity=of_members(
            rules.measure_changes.output.similarity,
            domain=MAPPED,
            group=ATLAS["groups"],
            seed=MAPPED_SEEDS,
        ),
        inside=of_members(
            rules.probe_states.output.answers,
            domain=MAPPED,
            group=ATLAS["groups"],
            seed=MAPPED_SEEDS,
        ),
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
