# Whose labels, explanations and stages are read. Rules are looked up when a path is asked for.


def released(w):
    """Whether the authors' own groups of a model stand in for its probe in a domain."""
    return bool(tuneatlas.group_sources(config, w.model, w.domain))


def labels(w):
    """The labels of a model's training questions."""
    made = rules.read_groups if released(w) else rules.label_knowledge
    return expand(made.output.labels, model=w.model, domain=w.domain)


def explanations(w):
    """A model's own explanations of its predictions."""
    made = rules.read_groups if released(w) else rules.explain_predictions
    return expand(made.output.explanations, model=w.model, domain=w.domain)


def all_of(found, domains, chosen=slice(None)):
    """What ``found`` finds, for each of some domains and the replicates ``chosen``."""
    return lambda w: [
        path
        for model in replicates_of(w)[chosen]
        for domain in domains
        for path in found(tuneatlas.Place(model, domain))
    ]


def is_followed(w):
    """Whether the study of forgetting follows a tuning in stages."""
    groups = config["stage_forgetting"]["groups"]
    return w.domain in FOLLOWED and w.group in groups and int(w.seed) in FOLLOWED_SEEDS


def last_stage(w):
    """The last model of a run's tuning, where the study of forgetting follows it."""
    if is_followed(w):
        last = list(rules.finetune_stages.output)[-1]
        return expand(last, model=w.model, domain=w.domain, group=w.group, seed=w.seed)
    return []


def restored_runs(w):
    """Answers after restoration, of those tunings of the atlas that the study of forgetting did."""
    groups = config["stage_forgetting"]["groups"]
    return expand(
        rules.evaluate_stages.output.answers,
        model=replicates_of(w),
        domain=[domain for domain in MAPPED if domain in FOLLOWED],
        group=[group for group in ATLAS["groups"] if group in groups],
        seed=[seed for seed in MAPPED_SEEDS if seed in FOLLOWED_SEEDS],
    )
