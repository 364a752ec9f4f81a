"""Treatments: other ways to tune on what a group is tuned on, each an arm of the same run."""

from typing import Annotated, Literal

from pydantic import Field

from tuneatlas.config.fields import REQUIRED, Count, Name, Positive, Section, option
from tuneatlas.config.models.training import Amount, Rate

PARTS_OF_A_HUNDRED = Annotated[float, Field(ge=0, lt=100)]


class Treatment(Section):
    """A way to tune: on the conversations of a group, as ``finetune`` says but for what it states.

    With nothing stated but its group it makes the very model that step finetune makes.
    """

    of: Name = option(REQUIRED, "the group whose conversations are tuned on")
    words: Literal["own", "other"] | None = option(
        None,
        "whose words explain its labels: own: the model's that is tuned; other: another model's, "
        "the next one of its replicates or, where it has none, of the experiment; null: as in the "
        "group",
        source="Chen et al. 2025, arXiv 2510.18874",
    )
    over: Name | None = option(
        None,
        "preference tuning (DPO) in place of learning the replies: they are to be more likely than "
        "those of this group to the same questions; null: they are learnt",
        source="Rafailov et al. 2023, arXiv 2305.18290",
    )
    reward: Literal["answer"] | None = option(
        None,
        "on-policy reinforcement learning (GRPO) in place of learning the replies: the model "
        "replies itself, and what names the label at its beginning is rewarded, by its letter or "
        "its text, as mix_instructions.question_template has it; null: they are learnt",
        source="Shao et al. 2024, arXiv 2402.03300",
    )
    beta: Amount | None = option(
        None,
        "how near the base preference tuning (over) and reinforcement learning (reward) stay; "
        "null: 0.1 for the first, 0.04 for the second",
        source="Rafailov et al. 2023; Shao et al. 2024",
    )
    generations: Annotated[int, Field(ge=2)] = option(
        8, "replies to each question of a batch (reward); batch counts questions"
    )
    max_new_tokens: Positive = option(
        64, "length at which a reply is cut off (reward)", unit="tokens"
    )
    updates_per_batch: Positive = option(
        1, "updates by each batch of replies (reward)", unit="updates"
    )
    clip: Annotated[float, Field(gt=0, lt=1)] = option(
        0.2,
        "a reply's token counts by the ratio of its probability to that when it was drawn, up to "
        "this far from 1 (reward)",
        source="Schulman et al. 2017, arXiv 1707.06347",
    )
    patience: Positive = option(
        20,
        "batches in a row in which the replies to each question may all be rewarded alike "
        "(reward); then the training stops",
        unit="batches",
    )
    learning_rate: Rate | None = option(None, "peak learning rate; null: as finetune says")
    epochs: Positive | None = option(
        None, "passes over the conversations; null: as finetune says", unit="passes"
    )
    lora_rank: Positive | None = option(
        None,
        "train low-rank adapters of this rank, as finetune.lora_rank does; null: as finetune says",
        source="Hu et al. 2022, arXiv 2106.09685",
    )
    frozen_layers: Count = option(
        0,
        "lowest layers that keep the base's weights, and the embedding with them, which may be the "
        "output matrix too; 0: all is trained",
        unit="layers",
        source="Lee et al. 2019, arXiv 1911.03090",
    )
    replay: PARTS_OF_A_HUNDRED = option(
        0,
        "text of pre-training among what is tuned on, of all its tokens: of a model made here, its "
        "own corpus; of others, the text that prepare_restoration is given",
        unit="%",
        source="Ibrahim et al. 2024, arXiv 2403.08763",
    )
    l2_sp: Amount = option(
        0,
        "weight decay towards the base: half of this times the squared distance of all trained "
        "weights from the base's is added to the loss of each step",
        source="Li et al. 2018, arXiv 1802.01483",
    )
    kl: Amount = option(
        0,
        "this times the KL divergence from the base's distribution to the tuned one, at each token "
        "that is trained on, is added to its loss",
        source="Li and Hoiem 2016, arXiv 1606.09282: on the new task's inputs",
    )
