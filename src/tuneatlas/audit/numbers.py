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


def numbers(results: Results) -> Iterator[Number]:
    """All numbers of the report that are made of items."""
    for step, make in MAKERS.items():
        for name, record in results.of_step(step).items():
            yield from make(results, record, read_metrics(results, name))
