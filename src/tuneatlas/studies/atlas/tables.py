"""The tables of the atlas."""

import pyarrow as pa

from tuneatlas.tables import SETTINGS, STAGE, STAGE_ANSWERS, TEXT, Column, Table

LINE, RESET = "line", "reset"
# Ways of asking; rewordings and orders of options are numbered.
FEW_SHOT, ZERO_SHOT, CHAT = "few_shot", "zero_shot", "chat"
REWORDED, ORDER = "reworded_", "order_"
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
