"""What was rewarded on the way is counted, and told."""

from pathlib import Path

from tests.unit.config.described import undescribed_columns
from tuneatlas.report.rewards import rewarded
from tuneatlas.studies.atlas.rewards_map import map_rewards
from tuneatlas.studies.atlas.tables import REPLIES


def write(path: Path, rewards: str) -> Path:
    """Replies of which two are to each of two questions of a batch: ``10 11`` is a batch."""
    rows = []
    for batch, said in enumerate(rewards.split(","), 1):
        for name, own in zip("ab", said.split(), strict=True):
            rows += [
                {
                    **{
                        "batch": batch,
                        "step": batch,
                        "id": name,
                        "reply": n,
                        "text": "",
                        "tokens": 3,
                    },
                    **{"cut": n == 2, "named": 0, "rewarded": one == "1"},
                }
                for n, one in enumerate(own, 1)
            ]
    REPLIES.write(path, rows)
    return path


def test_constant_batches_and_shares_are_counted_over_all_trainings(tmp_path):
    folder = tmp_path / "results/reinforce_treatment"
    several = ["00 00,10 00,11 00,11 11,01 11", "10 00,10 00,10 00,10 00,11 10"]
    paths = [
        write(folder / f"mini-{n}/facts/grpo/0.replies.parquet", own)
        for n, own in enumerate(several)
    ]
    found = map_rewards(paths)
    assert undescribed_columns("map_treatments", found) == []
    assert found["rewards"] == [
        {
            **{"domain": "facts", "group": "grpo", "replicates": 2, "seeds": 1, "batches": 10},
            **{"constant": 3, "constant_in_row": 2, "replies": 40, "cut": 20},
            **{"rewarded_first": 1 / 8, "rewarded_last": 6 / 8},
        }
    ]
    (sentence,) = rewarded(found)
    assert sentence == (
        "grpo, facts: 12.5% of the replies in the first tenth of the batches were rewarded, 75.0% "
        "in the last tenth. In 3 of 10 batches, at most 2 in a row, the replies to each question "
        "were all rewarded alike, so that nothing was learnt from them. 20 of 40 replies were cut "
        "off at their greatest length."
    )
    assert map_rewards([]) == {"rewards": []}
    assert rewarded({}) == []
