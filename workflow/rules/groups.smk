# Whose labels, explanations, models and stages are read. Rules are looked up when a path is asked for.


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


def all_stages(w):
    """The models of a run's tuning in their order, where the study of forgetting follows it."""
    if is_given(w):
        names = tuneatlas.kept(config, w.group)
        return expand(rules.prepare_checkpoint.output.model, model=w.model, checkpoint=names)
    return expand(list(rules.finetune_stages.output), **w) if is_followed(w) else []


def tuned_on(w):
    """The conversations of a group; of a treatment, its group's, or its labels in other words."""
    if is_given(w):
        return []
    treatment = TREATMENTS.get(w.group)
    if treatment and treatment["words"]:
        return expand(rules.mix_treatment.output.conversations, **w)[0]
    made = rules.mix_instructions.output.conversations
    return expand(made, **{**w, "group": treatment["of"] if treatment else w.group})[0]


def writer(w):
    """The model whose words explain the labels of a treatment."""
    return tuneatlas.writer_of(config, w.group, w.model)


def tuned(w):
    """The model tuned on a group, or as a treatment says."""
    if is_given(w):
        return []
    if w.group in REWARDED:
        made = rules.reinforce_treatment
    else:
        made = rules.finetune_treatment if w.group in TREATMENTS else rules.finetune
    return expand(made.output.model, **w)[0]


def rejected(w):
    """The conversations whose replies a treatment is to make less likely, where it prefers some."""
    other = TREATMENTS[w.group]["over"]
    made = rules.mix_instructions.output.conversations
    return expand(made, **{**w, "group": other}) if other else []


def replayed_text(w):
    """Text of a model's pre-training, where a treatment replays some."""
    if not TREATMENTS[w.group]["replay"]:
        return []
    made_here = corpus(w.model, rules.prepare_corpus.output.documents)
    return made_here or expand(rules.prepare_restoration.output.folder, model=w.model)


def last_stage(w):
    """The last of them."""
    return all_stages(w)[-1:]
