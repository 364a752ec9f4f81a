WEIGHTS = tuneatlas.category_weights(config["mix_instructions"])
MIXED_IN = config["mix_instructions"]["general"]


rule probe_shard:
    """Ask the base model a share of the batches of questions, where several jobs share them."""
    input:
        model=rules.prepare_base.output.model,
        questions=rules.prepare_questions.output.questions,
        template=template("question", "probe_knowledge"),
    output:
        parts="results/probe_shard/{model}/{domain}/{scatteritem}.json",
    log:
        "logs/probe_shard/{model}/{domain}/{scatteritem}.log",
    threads: processes("probe_knowledge")
    resources:
        **asks(120, tuned=False, section="probe_knowledge"),
    params:
        code=code("probe_shard"),
        options=lambda w: tuneatlas.asked_options(config, "probe_knowledge", w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        splits=lambda w: tuneatlas.probed_splits(config, w.model, w.domain),
    script:
        "../scripts/probe_shard.py"


rule probe_knowledge:
    """Ask the base model every question, few-shot, and keep the probability of each option."""
    input:
        model=rules.prepare_base.output.model,
        questions=rules.prepare_questions.output.questions,
        template=template("question", "probe_knowledge"),
        shards=shards_of("probe_knowledge", rules.probe_shard.output.parts),
    output:
        answers="results/probe_knowledge/{model}/{domain}.parquet",
        knowledge="results/probe_knowledge/{model}/categories/{domain}.parquet",
    log:
        "logs/probe_knowledge/{model}/{domain}.log",
    threads: processes("probe_knowledge")
    resources:
        **asks(120, tuned=False, section="probe_knowledge", shared=True),
    params:
        code=code("probe_knowledge"),
        options=lambda w: tuneatlas.asked_options(config, "probe_knowledge", w.model),
        bos=lambda w: tuneatlas.begin_token(config, "probe_knowledge", w.model),
        splits=lambda w: tuneatlas.probed_splits(config, w.model, w.domain),
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
    resources:
        **scaled(2000, 20),
    params:
        code=code("label_knowledge"),
        options=config["label_knowledge"],
        seed=config["seed"],
    script:
        "../scripts/label_knowledge.py"


rule explain_shard:
    """Let the base model write a share of its explanations, where several jobs share them."""
    input:
        model=rules.prepare_base.output.model,
        questions=rules.prepare_questions.output.questions,
        labels=rules.label_knowledge.output.labels,
        template=template("explain", "explain_predictions"),
    output:
        parts="results/explain_shard/{model}/{domain}/{scatteritem}.json",
    log:
        "logs/explain_shard/{model}/{domain}/{scatteritem}.log",
    threads: processes("explain_predictions")
    resources:
        **asks(240, tuned=False, section="explain_predictions"),
    params:
        code=code("explain_shard"),
        options=lambda w: tuneatlas.asked_options(config, "explain_predictions", w.model),
        bos=lambda w: tuneatlas.begin_token(config, "explain_predictions", w.model),
        seed=config["seed"],
    script:
        "../scripts/explain_shard.py"


rule explain_predictions:
    """Let the base model explain its own wrong answers: the text that SELF-ALIGNING trains on."""
    input:
        model=rules.prepare_base.output.model,
        questions=rules.prepare_questions.output.questions,
        labels=rules.label_knowledge.output.labels,
        template=template("explain", "explain_predictions"),
        shards=shards_of("explain_predictions", rules.explain_shard.output.parts),
    output:
        explanations="results/explain_predictions/{model}/{domain}.parquet",
    log:
        "logs/explain_predictions/{model}/{domain}.log",
    threads: processes("explain_predictions")
    resources:
        **asks(240, tuned=False, section="explain_predictions", shared=True),
    params:
        code=code("explain_predictions"),
        options=lambda w: tuneatlas.asked_options(config, "explain_predictions", w.model),
        bos=lambda w: tuneatlas.begin_token(config, "explain_predictions", w.model),
        seed=config["seed"],
    script:
        "../scripts/explain_predictions.py"


rule read_groups:
    """Take the authors' own groups of a model in place of its probe, labels and explanations."""
    input:
        questions=rules.prepare_questions.output.questions,
        groups=lambda w: own(tuneatlas.group_sources(config, w.model, w.domain)),
        # That of the authors: by it is told what they asked.
        template=str(HOME / "config/templates/explain/urial_1shot.yaml"),
    output:
        labels="results/read_groups/{model}/labels/{domain}.parquet",
        explanations="results/read_groups/{model}/explanations/{domain}.parquet",
    log:
        "logs/read_groups/{model}/{domain}.log",
    resources:
        **scaled(2000, 20),
    params:
        code=code("read_groups"),
        folder=lambda w: config["domains"][w.domain]["path"],
        released=lambda w: config["models"][w.model]["released_groups"],
    script:
        "../scripts/read_groups.py"


rule mix_instructions:
    """Write the conversations of one training set: a knowledge group, or a mixture of two."""
    input:
        questions=rules.prepare_questions.output.questions,
        labels=labels,
        explanations=explanations,
        template=template("question", "mix_instructions"),
        # Only where categories of knowledge weigh differently.
        knowledge=rules.probe_knowledge.output.knowledge if WEIGHTS else [],
        # Only where contexts are given, and for the group that they stand in.
        contexts=lambda w: (
            expand(rules.prepare_questions.output.contexts, domain=w.domain)
            if w.group == tuneatlas.CONTEXTUALISED
            else []
        ),
        general=lambda w: own([MIXED_IN["path"]]),
    output:
        conversations="results/mix_instructions/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/mix_instructions/{model}/{domain}/{group}/{seed}.log",
    wildcard_constraints:
        group="|".join(GROUPS),
    resources:
        **scaled(2000, 20),
    params:
        code=code("mix_instructions"),
        # Not the whole section: a further ratio changes nothing in the other mixtures.
        context=config["mix_instructions"]["context"],
        unfinished=config["explain_predictions"]["unfinished"],
        ratio=MIXED_IN["ratio"],
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
    threads: each("finetune")
    resources:
        **trains("finetune", 240),
    params:
        code=code("finetune"),
        options=config["finetune"],
        bos=lambda w: tuneatlas.begin_token(config, "finetune", w.model),
        seed=config["seed"],
    script:
        "../scripts/finetune.py"


rule evaluate_shard:
    """Ask the tuned model a share of the batches of test questions, where several jobs share them."""
    input:
        model=rules.finetune.output.model,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        template=template("question", "evaluate_knowledge"),
        chat=template("chat", "evaluate_knowledge"),
    output:
        parts="results/evaluate_shard/{model}/{domain}/{group}/{seed}/{scatteritem}.json",
    log:
        "logs/evaluate_shard/{model}/{domain}/{group}/{seed}/{scatteritem}.log",
    threads: processes("evaluate_knowledge")
    resources:
        **asks(120, section="evaluate_knowledge"),
    params:
        code=code("evaluate_shard"),
        options=lambda w: tuneatlas.asked_options(config, "evaluate_knowledge", w.model),
        bos=lambda w: tuneatlas.begin_token(config, "evaluate_knowledge", w.model),
    script:
        "../scripts/evaluate_shard.py"


rule evaluate_knowledge:
    """Ask the tuned model the test questions of every domain, zero-shot, in its chat template."""
    input:
        model=tuned,
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        template=template("question", "evaluate_knowledge"),
        chat=template("chat", "evaluate_knowledge"),
        shards=shards_of("evaluate_knowledge", rules.evaluate_shard.output.parts),
    output:
        answers="results/evaluate_knowledge/{model}/{domain}/{group}/{seed}.parquet",
    log:
        "logs/evaluate_knowledge/{model}/{domain}/{group}/{seed}.log",
    threads: processes("evaluate_knowledge")
    resources:
        **asks(120, section="evaluate_knowledge", shared=True),
    params:
        code=code("evaluate_knowledge"),
        options=lambda w: tuneatlas.asked_options(config, "evaluate_knowledge", w.model),
        bos=lambda w: tuneatlas.begin_token(config, "evaluate_knowledge", w.model),
    script:
        "../scripts/evaluate_knowledge.py"


rule compare_groups:
    """Accuracy and consistency of every group, with intervals, and the two claims of the study."""
    input:
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        mentions=lambda w: corpus(replicates_of(w)[0], rules.prepare_corpus.output.mentions),
        base=of_members(rules.probe_knowledge.output.answers, domain=DOMAINS),
        labels=all_of(labels, DOMAINS),
        tuned=of_members(
            rules.evaluate_knowledge.output.answers, domain=TUNED, group=GROUPS, seed=SEEDS
        ),
    output:
        folder=directory("results/compare_groups/{model}"),
    log:
        "logs/compare_groups/{model}.log",
    wildcard_constraints:
        model=TOLD,
    resources:
        **scaled(4000, 60),
    params:
        code=code("compare_groups"),
        options=config["compare_groups"],
        seed=config["seed"],
    script:
        "../scripts/compare_groups.py"
