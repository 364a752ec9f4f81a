"""What rewards did on the way, in plain words."""

from collections.abc import Mapping
from typing import Any

from tuneatlas.data.groups import group_name
from tuneatlas.report.wording import percent
from tuneatlas.tables import Row


def rewarded(metrics: Mapping[str, Any]) -> list[str]:
    """A sentence for each treatment that learns by rewards."""
    return [_sentence(row) for row in metrics.get("rewards", ())]


def _sentence(row: Row) -> str:
    in_row = f", at most {row['constant_in_row']} in a row" if row["constant"] else ""
    first, last = (percent(row[f"rewarded_{end}"]) for end in ("first", "last"))
    return (
        f"{group_name(row['group'])}, {row['domain']}: {first} of the replies in the first tenth "
        f"of the batches were rewarded, {last} in the last tenth. In {row['constant']:,} of "
        f"{row['batches']:,} batches{in_row}, the replies to each question were all rewarded "
        f"alike, so that nothing was learnt from them. {row['cut']:,} of {row['replies']:,} "
        "replies were cut off at their greatest length."
    )
