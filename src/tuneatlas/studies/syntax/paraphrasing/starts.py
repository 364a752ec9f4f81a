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
SUBSETS = {"all": "all pairs", "hard": "hard pairs"}
# Metric that the claim is about.
METRIC = "bleu4"
# Metrics drawn: the text, and the distance to the wanted syntax.
DRAWN = {
    METRIC: "BLEU-4 of sentences",
    "ted_e": "edits from the template\N{RIGHT SINGLE QUOTATION MARK}s tree",
}


def metric_named(metric: str) -> str:
    """The metric without the height that trees are cut at: ted_e@5 is ted_e."""
    return metric.split("@")[0]
