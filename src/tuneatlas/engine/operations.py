"""Where the options of a step stand in the config, and which of them remake nothing."""

from collections.abc import Collection, Mapping
from typing import Any

# Steps whose options are not in the section of their name.
SECTIONS = {
    "fetch_source": "package {package}",
    "prepare_base": "models.{model}",
    "prepare_questions": "domains.{domain}",
    "prepare_paraphraser": "paraphrasers.{paraphraser}",
    "restore_base": "restore_stages",
    "evaluate_base": "evaluate_stages",
    "prepare_checkpoint": "checkpoints.{checkpoint}",
    "probe_checkpoint": "probe_knowledge",
    "evaluate_checkpoint": "evaluate_knowledge",
    "compare_checkpoints": "compare_groups",
    "compare_harness": "compare_groups",
    "restore_checkpoint": "restore_stages",
    "measure_checkpoint": "evaluate_stages",
    "stage_checkpoints": "stage_forgetting",
    "explain_treatment": "explain_predictions",
    "mix_treatment": "mix_instructions",
    # How it trains; what it does besides is in its own entry.
    "finetune_treatment": "finetune",
    "reinforce_treatment": "finetune",
    "interpolate_weights": "atlas",
    "measure_distance": "atlas",
    "ask_battery": "atlas",
    "measure_changes": "atlas",
    "probe_states": "atlas",
    "map_treatments": "atlas",
    "report": "",
}
# How often progress is saved: a run that stops goes on to the same result in any case; how long
# weights stay: what went comes back as it was; and by how many jobs a step's work is shared.
SAVING = frozenset({"checkpoint_minutes", "checkpoint_steps", "keep_checkpoints", "keep", "shards"})
# What fits a job to a machine: other values change results by rounding, and by which units a
# training with dropout drops. Saved progress goes on under other values of these …
PLACEMENT = frozenset(
    {"processes", "nodes", "rows_per_device", "gradient_checkpointing", "compile", "devices"}
)
# … and starts anew under other values of these, as its parts are of another size or kind.
BATCHES = frozenset({"batch_tokens", "batch_rows", "deepspeed"})
# What a plan counts with until a file is there.
PLANNED = frozenset({"expected"})
# What a run may hold at a time.
HELD = frozenset({"at_most_gb"})
OPERATIONAL = SAVING | PLACEMENT | BATCHES | PLANNED | HELD
# Parameters that change no result, by step: where something is, and what is checked.
UNCOUNTED = {
    "fetch_source": {"mirror"},
    "prepare_base": {"asking", "dtype"},
    "reinforce_treatment": {"patience"},
}
# Operational elsewhere. Explanations are drawn batch by batch: other batches write other texts; and
# trees stay in as many files as there are shards.
COUNTED = frozenset({("explain_predictions", "batch_rows"), ("parse_sentences", "shards")})
# Steps that make a part of what another puts together, by the step that does.
SHARDS = {
    "probe_knowledge": "probe_shard",
    "explain_predictions": "explain_shard",
    "evaluate_knowledge": "evaluate_shard",
    "evaluate_stages": "measure_shard",
    "generate_paraphrases": "generate_shard",
}
WHOLE = {shard: step for step, shard in SHARDS.items()}


def section_of(step: str, wildcards: Mapping[str, str]) -> str:
    """The config section that steers a job."""
    return SECTIONS.get(step, WHOLE.get(step, step)).format(**wildcards)


def split(
    config: Mapping[str, Any], keys: Collection[str] = OPERATIONAL, section: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config without its operational ``keys``, and these alone, in the same nesting.

    ``section`` is the name of ``config`` where it is a part of the whole.
    """
    rest: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for key, value in config.items():
        if key in keys and (section, key) not in COUNTED:
            operations[key] = value
        elif isinstance(value, Mapping):
            rest[key], below = split(value, keys, key)
            if below:
                operations[key] = below
        else:
            rest[key] = value
    return rest, operations


def is_shard(output: str) -> bool:
    """Whether a file of the results, by its name in records, is a part of another step's work."""
    return output.startswith("results/") and output.split("/")[1] in WHOLE


def joined(options: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` with the keys of ``more``, at every depth."""
    found = dict(options)
    for key, value in more.items():
        own = found.get(key)
        found[key] = joined(own, value) if isinstance(own, Mapping) else value
    return found


def operations_of(
    operations: Mapping[str, Any], step: str, wildcards: Mapping[str, str]
) -> dict[str, Any]:
    """The operational keys of one job."""
    found: Any = operations
    for name in section_of(step, wildcards).split("."):
        found = found.get(name, {})
    return dict(found)


def restored(config: Mapping[str, Any]) -> list[str]:
    """Names of the checkpoints tuned elsewhere that are restored."""
    text = config["prepare_restoration"]
    given = bool(text["corpus"] or text["package"])
    found = []
    for name, entry in config["checkpoints"].items():
        made_here = config["models"].get(entry["base"], {}).get("source") == "scratch"
        wanted = entry["restore"]
        if given or made_here if wanted is None else wanted:
            found.append(name)
    return found


def asking(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """How models are asked and tuned: templates, scoring and lengths of each section."""
    # Checkpoints that were tuned elsewhere need no tuning here, and are asked in templates of
    # their own.
    tuned = any(domain["tune"] for domain in config["domains"].values())
    tuned = tuned or not config["checkpoints"]
    names = ["probe_knowledge", *["evaluate_knowledge", "finetune"] * tuned]
    followed = tuned and config["stage_forgetting"]["groups"]
    names += ["finetune_stages"] * bool(followed)
    if followed or restored(config):
        names += ["restore_stages", "evaluate_stages"]
    templates = ("question_template", "chat_template")
    keys = (*templates, "scoring", "option_tokens", "bos", "row_length", "window")
    asked = {name: {k: config[name][k] for k in keys if k in config[name]} for name in names}
    if not followed and restored(config) and config["evaluate_stages"]["conversations"]:
        asked["finetune_stages"] = {"chat_template": config["finetune_stages"]["chat_template"]}
    harness = config["evaluate_harness"]
    chat = harness["tasks"] and harness["chat"]
    return asked | ({"evaluate_harness": {"chat": True}} if chat else {})
