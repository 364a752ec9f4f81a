# Steps whose work several jobs share: `shards` in the section of a step.


def every_shard(path, section="parse_sentences", **wildcards):
    """What each shard has at ``path``. Not by `gather`: all modules share that."""
    shards = SETTINGS[section]["shards"]
    items = [f"{number}-of-{shards}" for number in range(1, shards + 1)]
    return expand(path, scatteritem=items, allow_missing=True, **wildcards)


def shards_of(section, path):
    """What the jobs that share a step's batches made, for the step to put together."""
    return every_shard(path, section) if SETTINGS[section]["shards"] > 1 else []


def processes(section):
    """Processes of a job that share the batches of a step."""
    return SETTINGS[section]["processes"]
