"""Which pairs a model is tuned on."""

import random

from tuneatlas.studies.syntax.paraphrasing.finetune import choose_pairs


def test_a_smaller_share_is_part_of_a_larger_and_another_seed_draws_others():
    rows = [{"id": str(n)} for n in range(50)]
    few, many = (choose_pairs(rows, share, random.Random(1)) for share in (10, 40))
    assert len(few) == 5 and many[:5] == few
    assert choose_pairs(rows, 10, random.Random(2)) != few
    assert len(choose_pairs(rows, 1, random.Random(1))) == 1
