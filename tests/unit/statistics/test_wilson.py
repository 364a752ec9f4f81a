import math

import pytest
from scipy.stats import norm

from tuneatlas.statistics.intervals import wilson_interval
from tuneatlas.statistics.metrics import plain


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize(
    ("right", "items"), [(0, 1), (0, 10), (7, 31), (150, 300), (1462, 1462), (19_999, 20_000)]
)
def test_wilson_interval_is_its_closed_form(right: int, items: int, confidence: float) -> None:
    z2 = norm.ppf((1 + confidence) / 2) ** 2
    share = right / items
    centre = share + z2 / (2 * items)
    half = math.sqrt(z2 * (share * (1 - share) / items + z2 / (4 * items**2)))
    ends = ((end / (1 + z2 / items)) for end in (centre - half, centre + half))
    assert plain(wilson_interval(right, items, confidence)) == plain((share, *ends))
