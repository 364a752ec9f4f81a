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


def is_given(w):
    """Whether what the atlas measures was tuned elsewhere."""
    return w.domain == tuneatlas.GIVEN


def all_stages(w):
    """The models of a run's tuning in their order, where the study of forgetting follows it."""
    if is_given(w):
        names = tuneatlas.kept(config, w.group)
        return expand(rules.prepare_checkpoint.output.model, model=w.model, checkpoint=names)
    return expand(list(rules.finetune_stages.output), **w) if is_followed(w) else []


def steps_given(w):
    """The steps of all models of a checkpoint tuned elsewhere, 0 where none is said."""
    names = tuneatlas.kept(config, w.group) if is_given(w) else []
    return [CHECKPOINTS[name].get("step", 0) for name in names]


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


def asked_in(section):
    """The chat template that a tuned model is asked in: of ``section``, or its own."""
    return lambda w: (
        chat_of(tuneatlas.kept(config, w.group)[0]) if is_given(w) else template("chat", section)
    )


def begins_in(section):
    """Whether what a tuned model is asked in its chat template begins with the begin token."""
    return lambda w: (
        tuneatlas.chat_begins(config, tuneatlas.kept(config, w.group)[0])
        if is_given(w)
        else tuneatlas.begin_token(config, section, w.model)
    )


def is_mapped(model):
    """Whether the atlas tells of a model, or of all that are told of by its name."""
    return bool(ATLAS["groups"] or tuneatlas.mapped(config, MEMBERS.get(model, [model])))


def of_given(path, names=None):
    """What checkpoints of the atlas have at ``path``, all of them or those among ``names``."""
    return lambda w: [
        made
        for model, own in tuneatlas.mapped(config, replicates_of(w)).items()
        for made in expand(
            path,
            model=model,
            domain=tuneatlas.GIVEN,
            group=[name for name in own if names is None or name in names],
            seed=0,
        )
    ]


def of_mapped(path):
    """What all that is mapped has at ``path``: tunings, and checkpoints tuned elsewhere."""
    own = of_members(path, domain=MAPPED, group=ATLAS["groups"], seed=MAPPED_SEEDS)
    return lambda w: own(w) + of_given(path)(w)


def of_measured(measure, path):
    """The same of a measure of the atlas that can be left out."""
    return of_mapped(path) if measure in ATLAS["measures"] else []


def of_relearnt(path):
    """The same of relearning, for which there has to be text to restore with."""
    updates = config["relearn_facts"]["updates"]
    groups = ATLAS["groups"] if FOLLOWED and updates else []
    own = of_members(path, domain=MAPPED, group=groups, seed=MAPPED_SEEDS)
    return lambda w: own(w) + of_given(path, RESTORED if updates else ())(w)


def measured():
    """What the atlas makes of each tuning, measure by measure."""
    steps = {
        "distance": rules.measure_distance,
        "battery": rules.ask_battery,
        "changes": rules.measure_changes,
        "inside": rules.probe_states,
    }
    made = [rules.interpolate_weights, *(steps[name] for name in ATLAS["measures"])]
    made += [rules.relearn_facts] if FOLLOWED and config["relearn_facts"]["updates"] else []
    return [path for rule in made for path in rule.output]


def replies(w):
    """What was replied and rewarded in those tunings that are mapped and learn by it."""
    groups = [group for group in ATLAS["groups"] if group in REWARDED]
    path = rules.reinforce_treatment.output.replies
    return of_members(path, domain=MAPPED, group=groups, seed=MAPPED_SEEDS)(w)


def restored_runs(w):
    """Answers after restoration, of those tunings of the atlas that the study of forgetting did."""
    groups = config["stage_forgetting"]["groups"]
    own = expand(
        rules.evaluate_stages.output.answers,
        model=replicates_of(w),
        domain=[domain for domain in MAPPED if domain in FOLLOWED],
        group=[group for group in ATLAS["groups"] if group in groups],
        seed=[seed for seed in MAPPED_SEEDS if seed in FOLLOWED_SEEDS],
    )
    # Of the last step of each, and of one restoration.
    measured = rules.measure_checkpoint.output.answers
    given = tuneatlas.mapped(config, replicates_of(w))
    return own + [
        expand(measured, model=model, checkpoint=tuneatlas.kept(config, name)[-1], seed=SEEDS[0])[0]
        for model, names in given.items()
        for name in names
        if name in RESTORED
    ]
