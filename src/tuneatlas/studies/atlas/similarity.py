"""Linear CKA: how alike two models' hidden states of the same questions are.

After Kornblith et al. 2019 (arXiv 1905.00414): 1 where one is the other turned, mirrored or
scaled. Of few questions it comes out too high, and higher the fewer there are; the jackknife takes
that out to first order, and gives each question its part.
"""

import numpy as np
from numpy.typing import ArrayLike

from tuneatlas.statistics.bootstrap import Floats


def linear_cka(one: ArrayLike, other: ArrayLike) -> float:
    """Of hidden states (items, width), whose widths may differ; NaN if one side does not vary."""
    return _cka_without(*map(_products, (one, other)))[0]


def cka_values(one: ArrayLike, other: ArrayLike) -> Floats:
    """A value per item, whose mean is linear CKA less its bias: the jackknife's pseudo-values.

    That of n items is n times the CKA of all less n - 1 times that of all others.
    """
    whole, without = _cka_without(*map(_products, (one, other)))
    items = len(without)
    return np.asarray(items * whole - (items - 1) * without)


def _products(states: ArrayLike) -> Floats:
    """Products of all items with all, (items, items), of states whose mean is 0."""
    table = np.asarray(states, dtype=np.float64)
    centred = table - table.mean(axis=0)
    return np.asarray(centred @ centred.T)


def _cka_without(one: Floats, other: Floats) -> tuple[float, Floats]:
    """CKA of all items, and of all but each of them, (items,)."""
    both, first, second = (_dependence(*p) for p in ((one, other), (one, one), (other, other)))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = both / np.sqrt(first * second)
    return float(found[0]), np.asarray(found[1:])


def _dependence(one: Floats, other: Floats) -> Floats:
    """HSIC but for its scale, of all items and of all but each of them, (1 + items,).

    Products are centred on the items that are left: sum(K L) - 2 / n sum(K1 L1) + 1K1 1L1 / n².
    """
    items = len(one)
    rows, columns = one.sum(axis=1), other.sum(axis=1)
    own, diagonal = one * other, one.diagonal() * other.diagonal()
    products = np.append(own.sum(), own.sum() - 2 * own.sum(axis=1) + diagonal)
    left, right = rows[:, None] - one, columns[:, None] - other
    margins = (left * right).sum(axis=0) - left.diagonal() * right.diagonal()
    margins = np.append(rows @ columns, margins)
    totals = [
        np.append(table.sum(), table.sum() - 2 * sums + table.diagonal())
        for table, sums in ((one, rows), (other, columns))
    ]
    count = np.append(items, np.full(items, items - 1.0))
    return np.asarray(products - 2 / count * margins + totals[0] * totals[1] / count**2)
