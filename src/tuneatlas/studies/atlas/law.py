"""The distance law: is what tuning loses elsewhere a matter of how far it went?

After Shenfeld, Pari and Agrawal 2025, "RL's Razor" (arXiv 2509.04259): forgetting against
KL(base || tuned) on the distribution tuned on, and a quadratic fit. Here both forms go through the
base model, which is at no distance and has lost nothing. They are fit within each training (base
model and tuning seed), over all arms and steps, and averaged as everything else is.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import (
    Floats,
    Interval,
    average_rows,
    percentile_interval,
    resample_blocks,
    resample_items,
)
from tuneatlas.statistics.metrics import interval_columns, plain
from tuneatlas.studies.atlas.contents import Contents, clusters_of
from tuneatlas.studies.atlas.map import MapOptions
from tuneatlas.studies.atlas.measured import MEASURES, Distances
from tuneatlas.studies.atlas.trainings import Training, Treatment, bases_of, sizes_of
from tuneatlas.tables import Row

# How many numbers each form has: loss = slope · KL, and + bend · KL² beside it.
FORMS = {"linear": 1, "quadratic": 2}


class Cloud(NamedTuple):
    """All points of a law: distance and loss, as found (trainings, points) and in each draw."""

    arms: list[tuple[str, str, str, int | None]]
    x: Floats
    y: Floats
    x_draws: Floats
    y_draws: Floats


def distance_law(
    found: Mapping[Treatment, Distances],
    options: MapOptions,
    seed: int,
    contents: Contents | None = None,
) -> dict[str, list[Row]]:
    """Tables ``distances``, ``law`` and ``unexplained``; empty where nothing was measured.

    A law is of treatments that share their trainings. Where some do not, as checkpoints tuned
    elsewhere and from one of several base models, it is of those with the most points.
    """
    alike: dict[tuple[Training, ...], dict[Treatment, Distances]] = {}
    for treatment, own in found.items():
        alike.setdefault(tuple(own.trainings), {})[treatment] = own
    told = [_tables(own, options, seed, contents or {}) for own in alike.values()]
    most = max(told, key=lambda tables: len(tables["distances"]), default={})
    distances = [row for tables in told for row in tables["distances"]]
    return {"distances": distances, "law": most.get("law", []),
            "unexplained": most.get("unexplained", [])}  # fmt: skip


def _tables(
    found: Mapping[Treatment, Distances], options: MapOptions, seed: int, contents: Contents
) -> dict[str, list[Row]]:
    """All tables, of treatments that share their trainings."""
    tables: dict[str, list[Row]] = {"distances": [], "law": [], "unexplained": []}
    rng = np.random.default_rng([seed, 4])
    trainings = next(iter(found.values())).trainings

    def told(value: Floats, draws: Floats) -> Interval:
        """Mean over trainings (trainings,), with draws (draws, trainings)."""
        each = average_rows(draws, value, bases_of(trainings), rng)
        return percentile_interval(float(value.mean()), each, options.confidence)

    losses = _losses(found, options, rng, contents)
    clouds = {measure: _cloud(found, losses, measure, options, rng) for measure in MEASURES}
    for place, arm in enumerate(clouds["answers"].arms):
        own = found[arm[0], arm[1]]
        far = {m: told(c.x[:, place], c.x_draws[:, :, place]) for m, c in clouds.items()}
        cloud = clouds["answers"]
        tables["distances"].append(
            {
                **dict(zip(("domain", "group", "setting", "step"), arm, strict=True)),
                **sizes_of(trainings),
                "prompts": sum(len(own.far[t, arm[2:], "answers"]) for t in trainings),
                "items": losses.items[arm[0], arm[1]],
                **interval_columns("options", far["options"]),
                **interval_columns("answers", far["answers"]),
                **interval_columns("loss", told(cloud.y[:, place], cloud.y_draws[:, :, place])),
            }
        )
    for measure, cloud in clouds.items():
        for form, numbers in FORMS.items():
            # Through as many points as it has numbers it goes whatever they are, and by one more
            # little is known of how far from others it is.
            if len(cloud.arms) <= numbers + 1:
                continue
            law, draws = (
                _fit(cloud.x, cloud.y, numbers),
                _fit(cloud.x_draws, cloud.y_draws, numbers),
            )
            r2 = told(law.r2, draws.r2)
            tables["law"].append(
                {
                    "distance": measure, "form": form, **sizes_of(trainings),
                    "points": len(cloud.arms),
                    **interval_columns("slope", told(law.slope, draws.slope)),
                    **interval_columns("bend", told(law.bend, draws.bend) if numbers > 1 else None),
                    **interval_columns("r2", r2._replace(high=min(r2.high, 1.0))),
                    "r2_each": list(law.r2),
                }
            )  # fmt: skip
            for name in dict.fromkeys(arm[:3] for arm in cloud.arms):
                at = [n for n, arm in enumerate(cloud.arms) if arm[:3] == name]
                left = told(law.left[..., at].mean(axis=-1), draws.left[..., at].mean(axis=-1))
                tables["unexplained"].append(
                    {
                        "distance": measure, "form": form,
                        **dict(zip(("domain", "group", "setting"), name, strict=True)),
                        "points": len(at), **interval_columns("residual", left),
                    }
                )  # fmt: skip
    return {name: plain(rows) for name, rows in tables.items()}


class Losses(NamedTuple):
    """Loss of accuracy out of the domain, by treatment: (trainings, points), and draws of it."""

    value: Mapping[Treatment, Floats]
    draws: Mapping[Treatment, Floats]
    items: Mapping[Treatment, int]


def _losses(
    found: Mapping[Treatment, Distances],
    options: MapOptions,
    rng: np.random.Generator,
    contents: Contents,
) -> Losses:
    """One draw of questions serves all points of all treatments."""
    blocks, names, items = [], [], {}
    for treatment, own in found.items():
        chosen = [
            n for n, row in enumerate(own.items)
            if options.scope(treatment, row) == "ood"
        ]  # fmt: skip
        if not chosen:
            raise UserError(
                f"atlas: no question is out of the domain {options.home(treatment)}, so nothing "
                "can be lost there: add a domain, or set compare_groups.ood_roles"
            )
        items[treatment] = len(chosen)
        base = own.correct["base", 0][:, chosen].astype(np.float64)
        blocks.append(np.concatenate([base - own.correct[p][:, chosen] for p in own.points]))
        names.append(clusters_of((own.items[n]["id"] for n in chosen), contents))
    means = resample_blocks(blocks, names, options.draws, rng)

    def shaped(values: Floats, own: Distances) -> Floats:
        """(…, points · trainings) as (…, trainings, points)."""
        parts = values.reshape(*values.shape[:-1], len(own.points), len(own.trainings))
        return np.swapaxes(parts, -1, -2)

    several = zip(found.items(), blocks, means, strict=True)
    each = [(t, shaped(b.mean(axis=1), own), shaped(m, own)) for (t, own), b, m in several]
    return Losses({t: v for t, v, _ in each}, {t: d for t, _, d in each}, items)


def _cloud(
    found: Mapping[Treatment, Distances],
    losses: Losses,
    measure: str,
    options: MapOptions,
    rng: np.random.Generator,
) -> Cloud:
    arms, x, y, x_draws, y_draws = [], [], [], [], []
    for (domain, group), own in found.items():
        # All points of a training are on the same prompts.
        tables = [np.array([own.far[t, p, measure] for p in own.points]) for t in own.trainings]
        draws = [resample_items(table, options.draws, rng) for table in tables]
        arms += [(domain, group, *point) for point in own.points]
        x.append(np.array([table.mean(axis=1) for table in tables]))
        x_draws.append(np.stack(draws, axis=1))
        y.append(losses.value[domain, group])
        y_draws.append(losses.draws[domain, group])
    return Cloud(arms, *(np.concatenate(part, axis=-1) for part in (x, y, x_draws, y_draws)))


class Fit(NamedTuple):
    """Least squares through the origin; all but ``left`` without the axis of points."""

    slope: Floats
    bend: Floats
    r2: Floats
    left: Floats


def _fit(x: Floats, y: Floats, numbers: int) -> Fit:
    """Of points on the last axis; what cannot be told apart gets the smallest numbers that fit."""
    powers = np.stack([x**n for n in range(1, numbers + 1)], axis=-1)
    found = (np.linalg.pinv(powers) @ y[..., None])[..., 0]
    left = y - (powers @ found[..., None])[..., 0]
    spread = ((y - y.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    rest = (left**2).sum(axis=-1)
    r2 = np.divide(spread - rest, spread, out=np.zeros_like(spread), where=spread > 0)
    return Fit(found[..., 0], found[..., -1], r2, left)
