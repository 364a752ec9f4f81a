"""What the test questions of a comparison are about: all facts, or those that a corpus states."""

from collections.abc import Mapping

from tuneatlas.data.mentions import Mentions, facts_of
from tuneatlas.data.scopes import ALL
from tuneatlas.errors import UserError
from tuneatlas.studies.knowledge.paired_answers import Answers


def about(answers: Mapping[str, Answers], facts: str, mentions: Mentions) -> dict[str, Answers]:
    """The answers of tuned models to questions on these facts, of each replicate.

    Raises:
        UserError: there are none, or it is not known which facts the corpus states.
    """
    if facts == ALL:
        return dict(answers)
    found = {
        name: Answers(
            own.base,
            {
                run: [row for row in rows if facts_of(row["id"], mentions) == facts]
                for run, rows in own.tuned.items()
            },
        )
        for name, own in answers.items()
    }
    if not any(rows for own in found.values() for rows in own.tuned.values()):
        raise UserError(
            f"compare_groups.facts: {facts}: no test question is on such a fact; what a corpus "
            "states is known of facts of built-in domains and models from scratch: set all"
        )
    return found
