"""What a reader of the knowledge study must keep in mind of how it was run, in whole sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuneatlas.tables import Row

QUIRKS = {
    "equal_options": "with two equal options",
    "repeated": "whose text occurred before",
    "line_breaks": "with a line break",
    "stray_spaces": "with stray spaces",
    "no_explanation": "without an explanation",
    "other_prompt": "whose explanation was asked for otherwise than in the authors' prompt",
}


def knowledge_notes(
    config: Mapping[str, Any],
    model: str,
    explanations: Mapping[str, Sequence[Row]],
    quirks: Mapping[str, Mapping[str, Mapping[str, int]]],
) -> Iterator[str]:
    """Notes on instructions mixed in, explanations, the rate, released groups and files.

    Args:
        config: the resolved experiment.
        model: name of the base model in it.
        explanations: EXPLANATIONS rows by tuned domain.
        quirks: what is odd in released files, by domain and file.
    """
    general = config["mix_instructions"]["general"]
    if general["path"] is None:
        yield (
            "No instructions of any kind are mixed into the training sets, where Ren et al. (2024) "
            "are reported to have mixed in as many rows of Alpaca-GPT4 as a group has questions "
            "(mix_instructions.general)."
        )
    else:
        yield (
            f"For each question of a training set, {general['ratio']:g} instructions of "
            f"{general['path']} are mixed into it."
        )
    yield from _explained(explanations)
    if config["finetune"]["schedule"] == "constant":
        yield (
            "The learning rate of tuning is constant after its warm-up: for 70B, in the setting "
            "of the authors, by a slip of their DeepSpeed config, which overrides the cosine "
            "that they state."
        )
    if name := config["models"][model]["released_groups"]:
        yield (
            f"The groups, labels and explanations trained on are those that the authors released "
            f"for {name}; the model itself is probed on test questions alone."
        )
    for domain, files in sorted(quirks.items()):
        for name, counts in sorted(files.items()):
            said = ((counts.get(kind, 0), text) for kind, text in QUIRKS.items())
            if odd := [f"{count:,} {text}" for count, text in said if count]:
                yield (
                    f"Of the {counts['questions']:,} questions on {domain} in {name}, as released: "
                    f"{', '.join(odd)}."
                )


def _explained(explanations: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    for domain, rows in sorted(explanations.items()):
        cut = sum(row["finish"] == "length" for row in rows)
        empty = sum(not row["explanation"].strip() for row in rows)
        told = [f"{cut:,} did not end"] * bool(cut) + [f"{empty:,} are empty"] * bool(empty)
        if told:
            yield (
                f"Of the model\u2019s {len(rows):,} own explanations on {domain}, "
                f"{' and '.join(told)} (explain_predictions.unfinished says what becomes of those "
                "that did not end)."
            )
