"""The columns of the map: a line per measure."""

from tuneatlas.studies.atlas import cells
from tuneatlas.studies.atlas.board import Measure
from tuneatlas.studies.atlas.tables import LINE, LOST, NEVER, OTHER, RESET, STATED

MEASURES: tuple[Measure, ...] = (
    Measure(
        name="learnt",
        title="Gained at home",
        question="accuracy in the domain tuned on, less the base model's",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: cells.between(read, "homo", "gain", LINE, 1.0),
    ),
    Measure(
        name="elsewhere",
        title="Gained elsewhere",
        question="accuracy out of the domain, less the base model's",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: cells.between(read, "ood", "gain", LINE, 1.0),
    ),
    Measure(
        name="distance",
        title="Distance",
        question="KL(base ‖ tuned) over whole answers to prompts tuned on",
        unit="nats",
        files=("distance_law", "distances"),
        cells=cells.far,
    ),
    Measure(
        name="halfway",
        title="Back half way",
        question="accuracy out of the domain half way to the base model, less the tuned one's",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: cells.between(read, "ood", "regained", LINE, 0.5),
    ),
    Measure(
        name="undone",
        title="Back undone",
        question="the same with the largest share of changes set back that is tried",
        unit="points",
        files=("interpolation", "interpolation"),
        cells=lambda read: cells.between(read, "ood", "regained", RESET, 100.0),
    ),
    Measure(
        name="returned",
        title="Back unstated",
        question="lost facts that are back after training on text that does not state them",
        unit="points",
        files=("relearning", "relearning"),
        cells=lambda read: cells.back(read, OTHER, {LOST: 1.0}),
    ),
    Measure(
        name="savings",
        title="Savings",
        question="lost facts that are back, less facts never known, after text that states both",
        unit="points",
        files=("relearning", "relearning"),
        cells=lambda read: cells.back(read, STATED, {LOST: 1.0, NEVER: -1.0}),
    ),
    Measure(
        name="chat",
        title="Gained in chat",
        question="accuracy out of the domain in the chat format, less the base model's there",
        unit="points",
        files=("battery", "battery"),
        cells=lambda read: cells.in_way(read, "ood", "chat"),
    ),
    Measure(
        name="reached",
        title="Reached",
        question="questions lost out of the domain that most other ways of asking find",
        unit="points",
        files=("recovery", "recovery"),
        cells=lambda read: cells.reached(read, "ood"),
    ),
    Measure(
        name="moved",
        title="Weights moved",
        question="Frobenius norm of the change of all weights, over that of the base's",
        unit="percent",
        files=("weight_changes", "weight_changes"),
        cells=cells.moved,
    ),
    Measure(
        name="inside",
        title="Read inside",
        question="questions lost that a probe of the last layer finds, less its control task",
        unit="points",
        files=("inside", "inside"),
        cells=cells.inside,
    ),
)
