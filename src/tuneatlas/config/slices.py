"""What each step gets of the config: the slices that rules hand on. No torch, no pandas."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tuneatlas.config.models.paraphrase import STARTS
from tuneatlas.config.packages import domain_options, earlier_domains, source_packages
from tuneatlas.config.replicates import members
from tuneatlas.data.released_files import group_files
from tuneatlas.data.released_files import question_files as released_files

# The stages of the syntax study that examples are built for.
STAGES = ("plain", "structure", "syntax")
# How answers are scored, in a section that asks.
SCORED = ("scoring", "option_tokens", "logits", "ties")
# How a model is asked, and what is known of it, which changes none. Replicates differ by name.
FORMATS = ("dtype", "tuned_dtype", "rounded", "released_groups", "replicates", "family")


def question_sources(config: Mapping[str, Any], domain: str) -> tuple[list[str], list[str]]:
    """The packages and the files that the questions of a domain are made of or compared with."""
    names = [*earlier_domains(config, domain), domain]
    packages = {name: None for n in names for name in source_packages(config, n)}
    paths = [path for name in names for path in question_files(config, name)]
    return list(packages), paths


def question_files(config: Mapping[str, Any], domain: str) -> list[str]:
    """The files of the user's that the questions of a domain are read from."""
    options = domain_options(config, domain)
    if options["source"] == "self_aligning":
        found = released_files(Path(options["path"]), domain, options["groups"])
        return [str(path) for path in found]
    return [options["path"]] if options["source"] == "file" else []


def needs_corpus(config: Mapping[str, Any], model: str) -> bool:
    """Whether a model is pre-trained here, on the workflow's own corpus."""
    return bool(config["models"][model]["source"] == "scratch")


def base_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """What a base model is made or brought by: not the number format in which it is asked."""
    return {k: v for k, v in config["models"][model].items() if k not in FORMATS}


def fitting_dtype(config: Mapping[str, Any], model: str) -> str:
    """The number format that must hold a model's stored weights; float32 where it may round."""
    entry = config["models"][model]
    return "float32" if entry["rounded"] else str(entry["dtype"])


def asked_options(config: Mapping[str, Any], step: str, model: str) -> dict[str, Any]:
    """A step's section, with the number format in which the model is asked.

    What is compared with tuned models is asked as they are.
    """
    key = "dtype" if step in ("probe_knowledge", "explain_predictions") else "tuned_dtype"
    return {**config[step], "dtype": config["models"][model][key]}


def begin_token(config: Mapping[str, Any], section: str, model: str) -> bool | dict[str, bool]:
    """Whether the prompts or texts of a section begin with the begin token; by role where it may.

    What a section leaves open is as the model's entry says.
    """
    own, said = config["models"][model]["bos"], config[section].get("bos")
    if isinstance(said, Mapping):
        return {role: own if value is None else value for role, value in said.items()}
    return bool(own if said is None else said)


def group_sources(config: Mapping[str, Any], model: str, domain: str) -> list[str]:
    """The files of the released groups that stand in for a model's probe, by domain."""
    name, entry = config["models"][model].get("released_groups"), config["domains"][domain]
    if not name or not entry["tune"] or entry["source"] != "self_aligning":
        return []
    return [str(path) for path in group_files(Path(entry["path"]), name, domain).values()]


class Place(NamedTuple):
    """A model and a domain, as the wildcards of a job name them."""

    model: str
    domain: str


def beside(config: Mapping[str, Any], model: str) -> str | None:
    """The metrics of a model in the other run that the report shows beside this one."""
    other = config["report"]["beside"]
    return other and f"{other}/compare_groups/{model}/metrics.json"


def probed_splits(config: Mapping[str, Any], model: str, domain: str) -> list[str]:
    """The splits that a model is probed on: released groups stand in for training questions."""
    return ["test"] if group_sources(config, model, domain) else ["train", "test"]


def corpus_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """How the corpus is drawn; how its conversations are laid out is in the template's file."""
    return {k: v for k, v in config["prepare_corpus"].items() if k != "chat_template"}


def forgetting_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """How forgetting is told; what it shares with the comparison of groups is as it is there.

    Not under which seeds: its inputs are those of each.
    """
    own = {k: v for k, v in config["stage_forgetting"].items() if k != "seeds"}
    shared = ("ood_roles", "manipulation_checks")
    return {**own, **{k: config["compare_groups"][k] for k in shared}}


def stage_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """How the stages of a model are measured: scored as it was when it was probed."""
    return {
        **asked_options(config, "evaluate_stages", model),
        **{k: config["probe_knowledge"][k] for k in ("scoring", "option_tokens", "logits")},
    }


def interpolation_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Which models between base and tuned are asked, and how: as the base was when probed."""
    asked = asked_options(config, "atlas", model)
    own = {k: asked[k] for k in ("alphas", "undone", "dtype")}
    return own | {k: config["probe_knowledge"][k] for k in SCORED}


def distance_options(config: Mapping[str, Any], model: str, group: str) -> dict[str, Any]:
    """How far from the base is told, and how questions are asked: as the base was when probed.

    Of a checkpoint tuned elsewhere, too, whose questions are as much as can be of what it was tuned
    on.
    """
    asked = asked_options(config, "atlas", model)
    own = {k: asked[k] for k in ("prompts", "samples", "answer_tokens", "dtype")}
    own["home"] = config["checkpoints"].get(group, {}).get("domain")
    return own | {k: config["probe_knowledge"][k] for k in SCORED}


def relearning_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """How facts are relearnt, and how questions are asked: as the base was when probed."""
    asked = asked_options(config, "relearn_facts", model)
    return asked | {k: config["probe_knowledge"][k] for k in SCORED}


# How near the base a treatment stays that does not say it.
BETA = {"over": 0.1, "reward": 0.04}
# Keys of a treatment that say how rewards are used.
OF_REWARDS = ("reward", "generations", "max_new_tokens", "updates_per_batch", "clip")


def treatment_options(config: Mapping[str, Any], treatment: str) -> dict[str, Any]:
    """How a treatment tunes: as ``finetune`` says, but for what it states; and itself."""
    entry = config["treatments"][treatment]
    stated = {k: v for k, v in entry.items() if k in config["finetune"] and v is not None}
    # The words are in the conversations, and how long is waited for a reward changes no model; what
    # is of another way of tuning says nothing.
    other = {"words", "patience", *(OF_REWARDS if not entry["reward"] else ())}
    if entry["reward"]:
        # Replies are drawn without it, and would be learnt from as another model's.
        stated["lora_dropout"] = 0.0
    own = {k: v for k, v in entry.items() if k not in other}
    if entry["beta"] is None:
        own["beta"] = BETA["reward" if entry["reward"] else "over"]
    return {**config["finetune"], **stated, "treatment": own}


def writer_of(config: Mapping[str, Any], treatment: str, model: str) -> str:
    """The model whose words explain the labels of a treatment of ``model``."""
    if config["treatments"][treatment]["words"] == "own":
        return model
    replicates = next(own for own in members(config["models"]).values() if model in own)
    others = replicates if len(replicates) > 1 else list(config["models"])
    return str(others[(others.index(model) + 1) % len(others)])


def battery_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """In which ways models are asked, and how it is scored: as base and tuned models are asked."""
    asked = asked_options(config, "atlas", model)
    sections = {"few_shot": "probe_knowledge", "chat": "evaluate_knowledge"}
    how = {way: {k: config[section][k] for k in SCORED} for way, section in sections.items()}
    return how | {k: asked[k] for k in ("ways", "rewordings", "orders", "dtype")}


def inside_options(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """In which layers models are looked at, and of which facts."""
    asked = asked_options(config, "atlas", model)
    own = {k: asked[k] for k in ("layers", "dtype")}
    return own | {"facts": config["compare_groups"]["facts"]}


def map_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """How the atlas is told; of which questions, as the comparison of groups has it."""
    own = {k: config["atlas"][k] for k in ("draws", "confidence")}
    given = {name: config["checkpoints"][name]["domain"] for name in config["atlas"]["checkpoints"]}
    own["homes"] = {name: domain for name, domain in given.items() if domain}
    return own | {k: config["compare_groups"][k] for k in ("ood_roles", "facts")}


def sentence_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """How sentences and pairs are chosen: not which parses of them are given."""
    options = config["prepare_sentences"]
    files = {k: v for k, v in options["files"].items() if k != "parses"}
    return {**options, "files": files}


def parse_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """How sentences are parsed, and where parses are given, if they are."""
    options = {k: v for k, v in config["parse_sentences"].items() if k != "shards"}
    chosen = config["prepare_sentences"]
    if any(chosen["files"]["parses"].values()):
        options["given"] = {name: chosen[name] for name in ("files", "pairs")}
    return options


def task_options(config: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """How the examples of one stage are built: no key of another stage is among them."""
    others = (*(f"{name}_" for name in STAGES if name != stage), *["refill"] * (stage == "plain"))
    return {k: v for k, v in config["build_tasks"].items() if not k.startswith(others)}


def plain_options(config: Mapping[str, Any], start: str) -> dict[str, Any]:
    """How a model is trained on plain sentences.

    The start ``plain`` sees as many tokens as both stages, whose epochs and lengths these are.
    """
    options = dict(config["pretrain_plain"])
    if start == "plain":
        stages = {stage: config[f"pretrain_{stage}"] for stage in STAGES if stage != "plain"}
        keys = ("epochs", "row_length")
        options["as_both"] = {s: {k: o[k] for k in keys} for s, o in stages.items()}
    return options


def syntax_options(config: Mapping[str, Any], start: str) -> dict[str, Any]:
    """How a model is trained in stage 2, without the tasks that a start leaves out."""
    options = dict(config["pretrain_syntax"])
    return options | {"without": options.pop("masks").get(start, [])}


def starts(config: Mapping[str, Any]) -> list[str]:
    """All that models may be tuned from: the five, and both stages with tasks left out."""
    return [*STARTS, *config["pretrain_syntax"]["masks"]]


def paraphraser_options(config: Mapping[str, Any], paraphraser: str) -> dict[str, Any]:
    """What an encoder-decoder is made or brought by."""
    return {k: v for k, v in config["paraphrasers"][paraphraser].items() if k not in FORMATS}


def tuning_options(config: Mapping[str, Any], paraphraser: str) -> dict[str, Any]:
    """How a model is tuned to paraphrase: not which models there are.

    Replicates draw pairs of their own, so that nothing but the pairs themselves is common to them.
    """
    several = ("formats", "starts", "shares", "seeds")
    options = {k: v for k, v in config["finetune_paraphrase"].items() if k not in several}
    return options | ({"own_pairs": True} if config["paraphrasers"][paraphraser]["family"] else {})


def system_options(config: Mapping[str, Any], system: str) -> dict[str, Any]:
    """How the outputs of another system are scored: as ours are."""
    return {**config["score_paraphrases"], "tokenise": config["systems"][system]["tokenise"]}


def category_weights(options: Mapping[str, Any]) -> dict[str, float]:
    """Weights in the loss by category of knowledge; empty where all weigh alike."""
    weights = {
        "HighlyKnown": 1.0,
        "MaybeKnown": options["maybe_known_weight"],
        "WeaklyKnown": options["weakly_known_weight"],
        "Unknown": options["unknown_weight"],
    }
    return weights if set(weights.values()) != {1.0} else {}
