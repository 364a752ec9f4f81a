"""Models between two ends: the ends to the bit; changes undone as a slow reference does it."""

from pathlib import Path

import pytest
import torch

from tuneatlas.errors import UserError
from tuneatlas.studies.atlas.weights import averaging, refuse_unlike, thresholds, undoing

Ends = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def ends(request: pytest.FixtureRequest) -> Ends:
    rng = torch.Generator().manual_seed(3)
    base = {n: torch.randn(4, 5, generator=rng).to(request.param) for n in ("a", "b")}
    base["a"][0, 0] = -0.0
    tuned = {n: (w + torch.randn(4, 5, generator=rng)).to(request.param) for n, w in base.items()}
    # Some do not change.
    tuned["b"][2:] = base["b"][2:]
    return base, tuned


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and bool(
        torch.equal(one.view(torch.uint8), other.view(torch.uint8))
    )


def test_the_ends_are_the_ends_to_the_bit(ends: Ends):
    base, tuned = ends
    nothing, everything = thresholds(base, tuned, [0, 100])
    for name in base:
        assert same_bits(averaging(0.0)(base[name], tuned[name]), base[name])
        assert same_bits(averaging(1.0)(base[name], tuned[name]), tuned[name])
        assert same_bits(undoing(nothing)(base[name], tuned[name]), tuned[name])
        assert same_bits(undoing(everything)(base[name], tuned[name]), base[name])


def test_averages_are_those_of_each_weight(ends: Ends):
    base, tuned = ends
    for name in base:
        found = averaging(0.3)(base[name], tuned[name])
        wanted = 0.3 * tuned[name].double() + 0.7 * base[name].double()
        torch.testing.assert_close(found, wanted.to(found.dtype))


@pytest.mark.parametrize("percent", [1, 5, 12.5, 50, 74, 76, 99])
def test_the_largest_changes_are_undone_over_all_matrices(ends: Ends, percent: float):
    base, tuned = ends
    (threshold,) = thresholds(base, tuned, [percent])
    changes = sorted(
        (abs(float(t) - float(b)), name, place)
        for name in base
        for place, (b, t) in enumerate(zip(base[name].ravel(), tuned[name].ravel(), strict=True))
    )
    count = -(-len(changes) * percent // 100)
    least = changes[len(changes) - int(count)][0]
    undone = {(name, place) for size, name, place in changes if size >= least}
    for name in base:
        found = undoing(threshold)(base[name], tuned[name]).ravel()
        for place, value in enumerate(found):
            side = base if (name, place) in undone else tuned
            assert float(value) == float(side[name].ravel()[place])


def test_there_is_nothing_between_models_of_other_shapes(ends: Ends):
    base, tuned = ends
    refuse_unlike(base, tuned, Path("there"))
    with pytest.raises(UserError, match=r"^there: b is \(4, 6\), its base's \(4, 5\), so"):
        refuse_unlike(base, tuned | {"b": torch.zeros(4, 6)}, Path("there"))
    with pytest.raises(UserError, match=r"^there: c is \(1,\), its base's missing"):
        refuse_unlike(base, tuned | {"c": torch.zeros(1)}, Path("there"))
