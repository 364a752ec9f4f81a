"""The tables of the atlas."""

import pyarrow as pa

from tuneatlas.tables import ROLES, SETTINGS, STAGE, STAGE_ANSWERS, TEXT, Column, Table

LINE, RESET = "line", "reset"
# Setting, path and point of the base model, which stands once for all lines.
BASE = ("base", LINE, 0.0)
# How the weight of the tuned model in an average is called where people read it.
ALPHA = "\N{GREEK SMALL LETTER ALPHA}"


def point_name(setting: str, path: str, point: float) -> str:
    """What a model between base and tuned is called in the addresses of numbers."""
    return f"{setting}/{path}/{point:g}"


INTERPOLATED = Table(
    "interpolated_answers",
    (
        Column(
            "setting",
            TEXT,
            "which tuned model; stages: the last of step finetune_stages; base: the base model",
            "",
            SETTINGS,
        ),
        Column(
            "path",
            TEXT,
            "line: base and tuned averaged; reset: the tuned model, its largest changes undone",
            "",
            (LINE, RESET),
        ),
        Column("point", pa.float64(), "line: weight of tuned; reset: share set back", "1 or %"),
        *STAGE_ANSWERS.columns[len(STAGE) :],
    ),
    key=("setting", "path", "point", "id"),
)

DISTANCES = Table(
    "distances",
    (
        Column("setting", TEXT, "which tuned model; stages: of step finetune_stages", "", SETTINGS),
        Column("step", pa.int32(), "fine-tuning steps done", "steps"),
        Column("id", TEXT, "id of the question tuned on"),
        Column("options", pa.float64(), "KL(base || tuned) over the options of its prompt", "nat"),
        Column(
            "answers",
            pa.float64(),
            "KL(base || tuned) over whole answers, by those drawn from the base model",
            "nat",
        ),
        Column("tokens", pa.float64(), "mean length of these answers", "tokens"),
    ),
    key=("setting", "step", "id"),
)

STATED, OTHER = "stated", "other"
LOST, NEVER = "lost", "never"
RELEARNED = Table(
    "relearned_answers",
    (
        Column("setting", TEXT, "which tuned model; stages: the last", "", SETTINGS),
        Column(
            "text",
            TEXT,
            "what was trained on; stated: text that states the facts; other: text that does not",
            "",
            (STATED, OTHER),
        ),
        Column("update", pa.int32(), "updates done; 0: none", "updates"),
        Column("examples", pa.int32(), "texts trained on by then", "texts"),
        Column(
            "kind",
            TEXT,
            "lost: right before tuning, wrong after; never: never known",
            "",
            (LOST, NEVER),
        ),
        *STAGE_ANSWERS.columns[len(STAGE) :],
    ),
    key=("text", "update", "id"),
)

BATTERY = Table(
    "battery_answers",
    (
        Column(
            "setting",
            TEXT,
            "which model; stages: the last of step finetune_stages; base: the base model",
            "",
            SETTINGS,
        ),
        Column(
            "way",
            TEXT,
            "how it was asked: few_shot, as the base; zero_shot; chat; reworded_ and a number; "
            "order_ and by how many places options are moved on",
        ),
        *STAGE_ANSWERS.columns[len(STAGE) :],
    ),
    key=("setting", "way", "id"),
)

TUNED = Column(
    "setting", TEXT, "which tuned model; stages: the last of step finetune_stages", "", SETTINGS[1:]
)
LAYER = Column("layer", pa.int16(), "0: embeddings; n: block n", "layer")
KIND = "what became of it: kept, shifted (reached by another prompt) or lost"

WEIGHT_CHANGES = Table(
    "weight_changes",
    (
        TUNED,
        Column("name", TEXT, "of the matrix or vector of weights"),
        Column("layer", pa.int16(), "0: embeddings; n: block n; the last: what is behind", "layer"),
        Column("numbers", pa.int64(), "weights in it", "count"),
        Column("norm", pa.float64(), "Frobenius norm of the base model's"),
        Column("change", pa.float64(), "Frobenius norm of tuned less base"),
    ),
    key=("setting", "name"),
)

SIMILARITY = Table(
    "similarity",
    (
        TUNED,
        Column("kind", TEXT, KIND, "", ("kept", "shifted", "lost")),
        LAYER,
        Column("id", TEXT, "question id"),
        Column("domain", TEXT, "domain of knowledge"),
        Column("role", TEXT, "home or related", "", ROLES),
        Column("cka", pa.float64(), "linear CKA of base and tuned over all of its kind", "1"),
        Column("value", pa.float64(), "the question's part of it, by the jackknife", "1"),
    ),
    key=("setting", "kind", "layer", "id"),
)

UNKNOWN = "unknown"
PROBED_STATES = Table(
    "probed_states",
    (
        TUNED,
        Column("states", TEXT, "whose hidden states are read", "", ("base", "tuned")),
        LAYER,
        Column("id", TEXT, "question id"),
        Column("domain", TEXT, "domain of knowledge"),
        Column("role", TEXT, "home or related", "", ROLES),
        Column(
            "kind",
            TEXT,
            f"{KIND}; unknown: the base has it wrong",
            "",
            ("kept", "shifted", "lost", UNKNOWN),
        ),
        Column("options", pa.int8(), "options of the question", "options"),
        Column("right", pa.bool_(), "the probe ranks the right option first"),
        Column("control", pa.bool_(), "that of the control task ranks its right one first"),
    ),
    key=("setting", "states", "layer", "id"),
)

REPLIES = Table(
    "replies",
    (
        Column("batch", pa.int32(), "batch of replies, from 1", "batches"),
        Column("step", pa.int32(), "the first update by it", "steps"),
        Column("id", TEXT, "question id"),
        Column("reply", pa.int32(), "which of the replies to it, from 1"),
        Column("text", TEXT, "what the model replied, as it was then"),
        Column("tokens", pa.int32(), "its length, with the end token", "tokens"),
        Column("cut", pa.bool_(), "it was cut off at the greatest length"),
        Column("named", pa.int8(), "the option that it names; -1: none"),
        Column("rewarded", pa.bool_(), "that is the label of its conversation"),
    ),
    key=("batch", "id", "reply"),
)
