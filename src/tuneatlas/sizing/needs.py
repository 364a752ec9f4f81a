"""What each job of an experiment needs: which tokens it sees, and what that takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneatlas.config.checkpoints import kept
from tuneatlas.config.slices import task_options
from tuneatlas.data.scopes import GIVEN
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.operations import SHARDS, WHOLE, joined, operations_of, split
from tuneatlas.models.shapes import Shape
from tuneatlas.sizing import estimates as cost
from tuneatlas.sizing.counts import Counts
from tuneatlas.sizing.estimates import Device, Need
from tuneatlas.sizing.storage import BROUGHT, folders, models_of, states_of
from tuneatlas.studies.atlas.rewarding import TOGETHER
from tuneatlas.training.batches import count_steps

# Tokens of one question, of one conversation, of one statement of a fact, of one sentence or
# its tree: near the means of the data that comes along.
QUESTION, CONVERSATION, STATEMENT, TREE = 100, 150, 20, 60
BYTES_PER_TOKEN = 4
# Tokens of the longest paraphrase where its format says it: that of most formats.
PARAPHRASE = 256


@dataclass(frozen=True)
class Study:
    """An experiment as plain data, with the shapes of its models and the device it is to run on."""

    config: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    device: Device
    root: Path
    counts: Mapping[str, Counts]

    def questions(self, domain: str, *splits: str) -> int:
        """Questions of a domain in these splits."""
        return sum(self.counts[domain].numbers.get(split, 0) for split in splits)

    def group(self, domain: str) -> int:
        """Questions of a training set: as the config expects, or all that it may be drawn from."""
        said: int | None = self.config["domains"][domain].get("expected", {}).get("group")
        return said or self.questions(domain, "train")

    def devices(self, job: Job) -> int:
        """GPUs that share the weights of the job's model when it is asked."""
        entry = self.config["models"].get(job.wildcards.get("model"), {})
        return int(entry.get("devices", 1))

    def whole(self, job: Job) -> Job:
        """The job with its operational options too, which its rule does not name."""
        _, operations = split(self.config)
        more = operations_of(operations, job.step, job.wildcards)
        return replace(job, options=joined(job.options, more))

    def tests(self) -> int:
        """Test questions of all domains."""
        return sum(self.questions(d, "test", "related_test") for d in self.config["domains"])

    def followed(self, model: str) -> int:
        """Test questions that the study of forgetting asks: of each domain so many, if it has them.

        Of built-in facts, those alone that the corpus of the ``model`` states, where it has one.
        """
        options = self.config["prepare_restoration"]
        made_here = self.config["models"][model]["source"] == "scratch"
        share = float(self.config["prepare_corpus"]["mentioned_share"])
        found = 0
        for domain, entry in self.config["domains"].items():
            tests = self.questions(domain, "test", "related_test")
            if made_here and options["stated_only"] and entry["source"] == "facts":
                tests = round(share * tests)
            found += min(options["questions"], tests)
        return found


def need_of(job: Job, study: Study) -> Need | None:
    """What a job needs; None where it uses a device and nothing here says how much."""
    shape = study.shapes.get(job.wildcards.get("model", job.wildcards.get("paraphraser", "")))
    if shape is None:
        return None if job.gpu else Need()
    training = training_of(job)
    if training is not None:
        return _train(job, training, shape, study)
    if job.step in SHARDS and job.options["shards"] > 1:
        # Its shards do the work.
        return Need()
    if job.step in PASSES:
        return _forward(job, shape, study)
    if job.step in ROUNDS:
        return _generate(job, shape, study)
    if job.step in BROUGHT:
        return Need(kept=cost.folder_size(shape))
    return None if job.gpu else Need()


def training_of(job: Job) -> Mapping[str, Any] | None:
    """The options of a job that trains, whatever it is called."""
    options: Mapping[str, Any] = job.options.get("training", job.options)
    return options if "learning_rate" in options else None


def _train(job: Job, training: Mapping[str, Any], shape: Shape, study: Study) -> Need:
    tokens, steps = _tokens(job, training, study)
    longest = min(training["row_length"], max(1, round(tokens)))
    zero = cost.zero_of(study.root / training["deepspeed"]) if training["deepspeed"] else None
    models = models_of(training, len(folders(job.outputs)))
    runs = len(job.outputs) if "curve" in training else 1
    if job.step == "relearn_facts":
        # On text that states the facts and on other text, each with models along the way.
        models, runs = 2 * len(training["updates"]), 2
    # The base, where the model is held to it.
    treatment = training.get("treatment", {})
    holding = [treatment.get(name) for name in ("l2_sp", "kl", "over")]
    holding.append(treatment.get("reward") and treatment["beta"])
    beside = sum(map(bool, holding)) * cost.SINGLE * shape.parameters / cost.GIB
    drawing = _drawn(training, shape, steps, study) if "reward" in treatment else Need()
    return Need(
        memory=cost.training_memory(shape, training, longest, zero)
        + beside
        + drawing.memory
        + study.device.overhead,
        steps=steps * runs,
        hours=cost.training_hours(shape, tokens * runs, training, study.device)
        + drawing.hours
        + cost.start_hours(shape, 1 + models, training["processes"]),
        devices=training["processes"],
        kept=models * cost.folder_size(shape),
        passing=states_of(training) * cost.checkpoint_size(shape, training),
    )


def _drawn(training: Mapping[str, Any], shape: Shape, steps: int, study: Study) -> Need:
    """What a training by rewards takes to draw its replies, beside what it is trained on."""
    treatment = training["treatment"]
    longest, batches = treatment["max_new_tokens"], steps / treatment["updates_per_batch"]
    times = -(-training["batch"] * treatment["generations"] // TOGETHER)
    return Need(
        memory=cost.forward_memory(shape, TOGETHER * (QUESTION + longest)),
        hours=cost.generation_hours(shape, batches * times * longest, study.device),
    )


def _tokens(job: Job, training: Mapping[str, Any], study: Study) -> tuple[float, int]:
    """Tokens that one run sees, and its optimizer steps: at most, as groups are found later."""
    config, epochs = study.config, training["epochs"]
    treatment = training.get("treatment", {})
    if "tokens" in training:
        each, examples = float(training["row_length"]), training["tokens"] / training["row_length"]
    elif job.step == "prepare_base":
        corpus = config["prepare_corpus"]
        mentions = (corpus["mentions_min"] * corpus["mentions_max"]) ** 0.5
        facts = sum(study.questions(d, *ALL) for d in config["domains"])
        words = facts * corpus["mentioned_share"] * mentions * STATEMENT
        each = float(training["row_length"])
        examples = words / (1 - corpus["prose_share"]) / each
    elif job.step == "relearn_facts":
        last = max(training["updates"])
        return float(last * training["batch"] * STATEMENT), last
    elif job.step == "finetune_paraphrase":
        share = int(job.wildcards["share"]) / 100
        each, examples = 2.0 * TREE, config["prepare_sentences"]["pairs"]["train"] * share
    elif "domain" in job.wildcards:
        each, examples = float(CONVERSATION), study.group(job.wildcards["domain"])
    else:
        sentences = config["prepare_sentences"]
        trees = sentences["sentences"] + 2 * sentences["pairs"]["train"]
        stages = training.get("as_both") or {job.step.removeprefix("pretrain_"): training}
        each, examples = 2.0 * TREE, trees * _seen(stages, config) / epochs
    if job.step in CONVERSING:
        # As many instructions of any kind as are mixed in.
        examples *= 1 + _mixed_in(config)
    # Text of pre-training takes as many tokens beside them, in rows of their length.
    examples *= 1 / (1 - treatment.get("replay", 0) / 100)
    # The replies to learn from and those to prefer them to; or, of each question, several.
    each *= 2 if treatment.get("over") else 1
    if "reward" in treatment:
        each = float(treatment["generations"] * (QUESTION + treatment["max_new_tokens"]))
        epochs *= treatment["updates_per_batch"]
    steps = max(
        epochs, count_steps(int(examples), epochs, training["batch"], training["remainder"])
    )
    if "steps" in training:  # kept along the way, and ended at the last one
        last = max(training["steps"])
        return last * training["batch"] * each, last
    return epochs * examples * each, steps


CONVERSING = ("finetune", "finetune_treatment", "reinforce_treatment", "finetune_stages")


def _mixed_in(config: Mapping[str, Any]) -> float:
    general = config["mix_instructions"]["general"]
    return float(general["ratio"]) if general["path"] else 0.0


def _seen(stages: Mapping[str, Mapping[str, Any]], config: Mapping[str, Any]) -> float:
    """Examples of each tree that training on ``stages`` sees, in all epochs."""
    built = {stage: task_options(config, stage) for stage in stages}
    seen = (
        built[s].get(f"{s}_share", 1.0) * built[s][f"{s}_passes"] * r["epochs"]
        for s, r in stages.items()
    )
    return float(sum(seen))


ALL = ("dev", "train", "test", "related_dev", "related_test")


def _asked(job: Job, study: Study) -> float:
    ways = job.options["draws"] * job.options["rotations"]
    asked = study.questions(job.wildcards["domain"], "train", "test", "related_test")
    return float(QUESTION * asked * ways)


def _tested(job: Job, study: Study) -> float:
    return float(QUESTION * study.tests())


def _measured(job: Job, study: Study) -> float:
    """Tokens scored for each model of a run, times the models."""
    config, options = study.config, job.options
    questions = study.followed(job.wildcards["model"])
    each = QUESTION * questions + CONVERSATION * min(questions, options["conversations"])
    each += options["heldout_bytes"] / BYTES_PER_TOKEN
    curve = len(config["restore_stages"]["curve"]) + 1
    if "checkpoint" in job.wildcards:
        return float(each) * (1 + curve)
    stages = len(config["finetune_stages"]["steps"]) + 1
    return float(each) * ((stages + stages * curve) if "group" in job.wildcards else 1 + curve)


def _settings(job: Job, study: Study) -> int:
    """Tuned models of a training that a measure of the atlas asks, at most."""
    followed = bool(study.config["stage_forgetting"]["groups"])
    return 2 if followed and job.wildcards["domain"] != GIVEN else 1


def _interpolated(job: Job, study: Study) -> float:
    """Tokens asked of all models between base and tuned, of two settings at most."""
    points = len(job.options["alphas"]) + len(job.options["undone"]) + 1
    settings = _settings(job, study)
    return _tested(job, study) * (1 + settings * points)


def _distanced(job: Job, study: Study) -> float:
    """Tokens that all models of a tuning are asked, and read of answers; those drawn beside."""
    options = job.options
    if job.wildcards["domain"] == GIVEN:
        models = len(kept(study.config, job.wildcards["group"]))
    else:
        followed = bool(study.config["stage_forgetting"]["groups"])
        models = 1 + followed * len(study.config["finetune_stages"]["steps"])
    drawn = float(options["prompts"] * options["samples"] * (QUESTION + options["answer_tokens"]))
    return _tested(job, study) * (1 + models) + drawn * (1 + 2 * models)


def _asked_otherwise(job: Job, study: Study) -> float:
    """Tokens of all ways of asking, by the base and tuned models of two settings at most."""
    ways = 1 + len(job.options["ways"]) + len(job.options["rewordings"]) + job.options["orders"]
    settings = _settings(job, study)
    return float(_tested(job, study) * ways * (1 + settings))


def _looked_into(job: Job, study: Study) -> float:
    """Tokens read of base and tuned models, of two settings at most, once for each option."""
    settings = _settings(job, study)
    # Of most questions there are four.
    texts = 4 if job.step == "probe_states" else 1
    return float(_tested(job, study) * texts * (1 + settings))


# Tokens that go through the model once, by step.
PASSES = {
    "probe_knowledge": _asked,
    "probe_shard": _asked,
    "evaluate_shard": _tested,
    "measure_shard": _measured,
    "evaluate_knowledge": _tested,
    "evaluate_stages": _measured,
    "evaluate_base": _measured,
    "interpolate_weights": _interpolated,
    "measure_distance": _distanced,
    "ask_battery": _asked_otherwise,
    "measure_changes": _looked_into,
    "probe_states": _looked_into,
    "measure_checkpoint": _measured,
    "probe_checkpoint": _tested,
    "evaluate_checkpoint": _tested,
}


def _forward(job: Job, shape: Shape, study: Study) -> Need:
    tokens = PASSES[job.step](job, study) / _sharers(job)
    devices, dtype = study.devices(job), _asked_in(job)
    processes = job.options.get("processes", 1)
    return Need(
        memory=cost.forward_memory(shape, job.options["batch_tokens"], dtype) / devices
        + study.device.overhead,
        hours=cost.forward_hours(shape, tokens, study.device, dtype)
        + cost.start_hours(shape, processes, processes),
        devices=processes * devices,
    )


def _sharers(job: Job) -> int:
    """Jobs that share the work, if this is one of them."""
    return int(job.options["shards"]) if job.step in WHOLE else 1


def _asked_in(job: Job) -> str:
    """The number format in which a model is asked; encoder-decoders have no other than float32."""
    return str(job.options.get("dtype", "float32"))


# Texts to write, by step.
ROUNDS = {
    "explain_predictions": lambda job, study: study.group(job.wildcards["domain"]),
    "explain_treatment": lambda job, study: study.group(job.wildcards["domain"]),
    "explain_shard": lambda job, study: study.group(job.wildcards["domain"]),
    "generate_paraphrases": lambda job, study: study.config["prepare_sentences"]["pairs"]["test"],
    "generate_shard": lambda job, study: study.config["prepare_sentences"]["pairs"]["test"],
    "evaluate_tasks": lambda job, study: 8 * study.config["build_tasks"]["heldout"],
}


def _generate(job: Job, shape: Shape, study: Study) -> Need:
    options = job.options
    batches = -(-ROUNDS[job.step](job, study) // options["batch_rows"]) / _sharers(job)
    processes = options.get("processes", 1)
    written = options["max_new_tokens"] or PARAPHRASE
    longest = written + options.get("max_length", 10 * QUESTION)
    rows = options["batch_rows"] * options.get("beams", 1)
    devices, dtype = study.devices(job), _asked_in(job)
    return Need(
        memory=cost.forward_memory(shape, rows * longest, dtype) / devices + study.device.overhead,
        hours=cost.generation_hours(shape, batches * written, study.device, dtype)
        + cost.start_hours(shape, processes, processes),
        devices=processes * devices,
    )


def shared(needs: Sequence[Need]) -> Need:
    """What several jobs need: the memory of the largest, the sum of the rest."""
    return Need(
        memory=max(n.memory for n in needs),
        steps=sum(n.steps for n in needs),
        hours=sum(n.hours for n in needs),
        devices=max(n.devices for n in needs),
        kept=sum(n.kept for n in needs),
        passing=max(n.passing for n in needs),
    )
