# What the atlas measures: tunings, and checkpoints tuned elsewhere, which have GIVEN for a domain.
# Rules are looked up when a path is asked for.


def is_given(w):
    """Whether what the atlas measures was tuned elsewhere."""
    return w.domain == tuneatlas.GIVEN


def steps_given(w):
    """The steps of all models of a checkpoint tuned elsewhere, 0 where none is said."""
    names = tuneatlas.kept(config, w.group) if is_given(w) else []
    return [CHECKPOINTS[name].get("step", 0) for name in names]


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
    return bool(MAPPED or tuneatlas.mapped(config, MEMBERS.get(model, [model])))


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
