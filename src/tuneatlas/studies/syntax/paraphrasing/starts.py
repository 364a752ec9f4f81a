"""The models that are tuned, by where they start, and what is shown of them."""

# Starts that others are compared with: T5 as it is, and T5 trained on for as many tokens.
VANILLA, CONTROL = "vanilla", "plain"
BOTH = "both"
NAMES = {
    VANILLA: "T5",
    CONTROL: "T5, trained longer",
    "structure": "T5 + stage 1",
    "syntax": "T5 + stage 2",
    BOTH: "T5 + both stages",
}
SUBSETS = {"all": "all pairs", "hard": "hard pairs", "long": "long pairs"}
# Metric that the claim is about: of all paraphrases together.
METRIC = "corpus_bleu4"
# Metrics drawn: the text, and the distance to the wanted syntax.
DRAWN = {
    METRIC: "BLEU-4 of the corpus",
    "ted_e": "edits from the exemplar\N{RIGHT SINGLE QUOTATION MARK}s tree",
}


def start_name(start: str) -> str:
    """A start as people call it; one that is in no table is both stages with tasks left out."""
    return NAMES.get(start) or f"{NAMES[BOTH]}, {start.replace('_', ' ')}"


def baselines(start: str) -> tuple[str, ...]:
    """The starts that a start is compared with; those of ablations with both stages too."""
    own = {VANILLA: (), CONTROL: (VANILLA,), BOTH: (VANILLA, CONTROL)}
    return own.get(start, (VANILLA, CONTROL, BOTH))
