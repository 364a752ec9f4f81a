"""The numbers of the report, each with the items it is made of.

The address of a number, such as ``accuracy/mini/countries/id/incompatible/0/kl``, is what the
report links to and ``tuneatlas trace --of`` reads.
"""

from collections.abc import Iterator

from tuneatlas.audit.atlas_numbers import atlas_numbers
from tuneatlas.audit.forgetting_numbers import stage_numbers
from tuneatlas.audit.harness_numbers import harness_numbers
from tuneatlas.audit.knowledge_numbers import checkpoint_numbers, group_numbers
from tuneatlas.audit.lineage import Results, read_metrics
from tuneatlas.audit.paraphrase_numbers import paraphrase_numbers
from tuneatlas.audit.terms import Number

# By the step that compares.
MAKERS = {
    "compare_groups": group_numbers,
    "stage_forgetting": stage_numbers,
    "stage_checkpoints": stage_numbers,
    "compare_checkpoints": checkpoint_numbers,
    "compare_paraphrases": paraphrase_numbers,
    "map_treatments": atlas_numbers,
    "compare_harness": harness_numbers,
}
# What the page calls each table of the report whose numbers are made of items.
TITLES = {
    "accuracy": (
        "Accuracy, gain, KL divergence and consistency by tuned domain, test set, group and seed"
    ),
    "claims": "Claims: differences and correlations",
    "points": "Points: one tuned model on one test set",
    "base_knowledge": "What the base model knows",
    "group_sizes": "Sizes of the groups",
    "checkpoint_changes": "Checkpoints beside their base model",
    "checkpoint_formats": "Checkpoints asked few-shot and in the chat format",
    "checkpoint_pairs": "One checkpoint and another",
    "checkpoint_subjects": "Checkpoints beside their base model, subject by subject",
    "measures": "Measures along the tuning and the restoration",
    "fates": "What became of the questions",
    "tests": "Paired tests along the tuning",
    "scoped_tests": "Paired tests along the tuning, by test set",
    "chance_adjusted": "What became of the questions, less what chance alone would change",
    "control": "The restored base model",
    "interpolation": "Models between base and tuned",
    "distances": "Distance from the base model, and what was lost",
    "relearning": "Facts that are back, update by update",
    "battery": "Ways of asking",
    "recovery": "What became of questions that seem lost",
    "similarity": "Hidden states of base and tuned model",
    "inside": "A probe on hidden states",
    "map": "Cells of the map of treatments and measures",
    "harness_scores": "Scores of benchmark tasks",
    "harness_changes": "Changes of benchmark scores from one model to another",
    "paraphrase_scores": "Scores of paraphrases by format, share of the pairs, start and subset",
    "paraphrase_differences": "Differences between starts",
    "system_scores": "Scores of other systems' paraphrases",
    "system_differences": "Paraphrases of models tuned here less those of other systems",
    "tasks": "Scores of the pre-training tasks",
}


def numbers(results: Results) -> Iterator[Number]:
    """All numbers of the report that are made of items."""
    for step, make in MAKERS.items():
        for name, record in results.of_step(step).items():
            yield from make(results, record, read_metrics(results, name))
