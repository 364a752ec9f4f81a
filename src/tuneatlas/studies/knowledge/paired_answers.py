"""Answers of base and tuned models to the same items, and bootstrap means that stay paired.

Items are resampled within each block of test items (domain, role), once for all models and
measures: any two numbers taken from here are therefore paired by item. Items that say the same,
in whatever blocks they stand, are drawn together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np

from tuneatlas.data.groups import in_order
from tuneatlas.data.scopes import SCOPES, scope_of
from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import (
    CONFIDENCE,
    DRAWS,
    Floats,
    Interval,
    percentile_interval,
    resample_blocks,
    resample_seeds,
)
from tuneatlas.statistics.correlation import Ranks, Residuals, rank_correlation
from tuneatlas.statistics.divergence import EPSILON, kl_divergence
from tuneatlas.studies.knowledge.shared_questions import SharedQuestions
from tuneatlas.tables import Row

# Columns of table ANSWERS that are compared.
COMPARED = ("id", "domain", "role", "probs", "correct", "tied")
MEASURES = ("accuracy", "kl", "consistency")

Run = tuple[str, str, int]
Block = tuple[str, str]
# A number and its bootstrap draws.
Drawn = tuple[float, Floats]


@dataclass(frozen=True)
class CompareOptions:
    """Roles that count out of the domain, resamples, confidence level, the floor of KL, and ranks.

    ``ranks``: of options that tie; ``partial``: what of the residuals is correlated;
    ``manipulation_checks``: what is other than the bounds that they have (``Bounds``).
    """

    ood_roles: tuple[str, ...] = ("related",)
    draws: int = DRAWS
    confidence: float = CONFIDENCE
    epsilon: float = EPSILON
    ranks: Ranks = "mean"
    partial: Residuals = "pearson"
    manipulation_checks: Mapping[str, float] = field(default_factory=dict)


class PairedAnswers:
    """Item values of every run in blocks of test items, and the bootstrap means of the blocks.

    A column is (run, measure); the last column is the accuracy of the base model.
    """

    def __init__(
        self,
        base_answers: Mapping[str, Sequence[Row]],
        tuned_answers: Mapping[Run, Sequence[Row]],
        options: CompareOptions,
        rng: np.random.Generator,
        shared: SharedQuestions | None = None,
    ) -> None:
        """Check that all runs answer the same items and resample them."""
        if not tuned_answers:
            raise UserError("compare_groups: no answers of tuned models to compare")
        self.options = options
        self.shared = shared or SharedQuestions({}, {})
        self.runs = sorted(tuned_answers)
        self.domains = sorted({domain for domain, _, _ in self.runs})
        self.seeds = {d: sorted({s for t, _, s in self.runs if t == d}) for d in self.domains}
        self.groups = {d: in_order({g for t, g, _ in self.runs if t == d}) for d in self.domains}
        for domain in self.domains:
            for group in self.groups[domain]:
                for number in self.seeds[domain]:
                    if (domain, group, number) not in tuned_answers:
                        raise UserError(
                            f"compare_groups: domain '{domain}' has no answers of group "
                            f"'{group}', seed {number}, while other runs have this group or seed"
                        )
        base = {row["id"]: row for rows in base_answers.values() for row in rows}
        tables = {run: {row["id"]: row for row in rows} for run, rows in tuned_answers.items()}
        self.blocks = _blocks(base, tables)
        values = {block: self._columns(base, tables, ids) for block, ids in self.blocks.items()}
        draws = self._resample(values, rng)
        # Column sums over the blocks of a scope, per item: (columns,) and (draws, columns).
        self.scopes: dict[tuple[str, str], tuple[Floats, Floats]] = {}
        for cell in self.cells():
            blocks, items = self.scope_blocks(*cell), self.items([cell])
            means = sum(values[b].sum(axis=1) for b in blocks) / items
            resampled = sum(draws[b] * len(self.blocks[b]) for b in blocks) / items
            self.scopes[cell] = (np.asarray(means), np.asarray(resampled))
        self._ties = {
            (run, block): sum(rows[i]["tied"] > 0 for i in ids)
            for run, rows in [(None, base), *tables.items()]
            for block, ids in self.blocks.items()
        }
        self.seed_weights = {
            d: resample_seeds(len(self.seeds[d]), options.draws, rng) for d in self.domains
        }

    def _resample(
        self, values: Mapping[Block, Floats], rng: np.random.Generator
    ) -> dict[Block, Floats]:
        """Bootstrap means (draws, columns) of each block."""
        contents = [[self.shared.content(i) for i in self.blocks[block]] for block in values]
        drawn = resample_blocks(list(values.values()), contents, self.options.draws, rng)
        return dict(zip(values, drawn, strict=True))

    def _columns(
        self, base: Mapping[str, Row], tables: Mapping[Run, Mapping[str, Row]], ids: list[str]
    ) -> Floats:
        before = [base[i]["probs"] for i in ids]
        divergence = partial(kl_divergence, epsilon=self.options.epsilon)
        consistency = partial(rank_correlation, ranks=self.options.ranks)
        columns: list[Floats] = []
        for run in self.runs:
            rows = [tables[run][i] for i in ids]
            after = [row["probs"] for row in rows]
            columns.append(np.array([row["correct"] for row in rows], dtype=np.float64))
            columns.append(_by_options(run, ids, before, after, divergence))
            columns.append(_by_options(run, ids, before, after, consistency))
        columns.append(np.array([base[i]["correct"] for i in ids], dtype=np.float64))
        return np.stack(columns)

    def scope_blocks(self, domain: str, scope: str) -> list[Block]:
        """The blocks of test items that make up a scope of a tuned domain."""
        roles = self.options.ood_roles
        return [block for block in self.blocks if scope_of(domain, *block, roles) == scope]

    def items(self, cells: Iterable[tuple[str, str]]) -> int:
        """Different test items in these (domain, scope) cells."""
        blocks = {block for cell in cells for block in self.scope_blocks(*cell)}
        return sum(len(self.blocks[block]) for block in blocks)

    def contents(self, cells: Iterable[tuple[str, str]]) -> int:
        """Test items in these (domain, scope) cells that say something different each."""
        blocks = {block for cell in cells for block in self.scope_blocks(*cell)}
        return len({self.shared.content(i) for block in blocks for i in self.blocks[block]})

    def piece(self, domain: str, group: str) -> tuple[str, ...]:
        """The domains whose models of a group are one piece of evidence with that of ``domain``."""
        joined = self.shared.piece(domain)
        return tuple(d for d in joined if group in self.groups.get(d, ()))

    def ties(self, runs: Iterable[Run | None], domain: str, scope: str) -> int:
        """Answers that are ties, and so wrong, of ``runs`` (None: the base model) in a scope."""
        blocks = self.scope_blocks(domain, scope)
        return sum(self._ties[run, block] for run in runs for block in blocks)

    def cells(self) -> list[tuple[str, str]]:
        """(tuned domain, scope) pairs that have test items."""
        return [(d, s) for d in self.domains for s in SCOPES if self.items([(d, s)])]

    def base(self, domain: str, scope: str) -> Drawn:
        """Accuracy of the base model: value, draws."""
        value, draws = self.scopes[domain, scope]
        return float(value[-1]), draws[:, -1]

    def seed_value(self, run: Run, scope: str, measure: str) -> Drawn:
        """A measure of one run: value, draws."""
        value, draws = self.scopes[run[0], scope]
        column = self.runs.index(run) * len(MEASURES) + MEASURES.index(measure)
        return float(value[column]), draws[:, column]

    def value(self, domain: str, group: str, scope: str, measure: str) -> Drawn:
        """A measure averaged over seeds: value, draws over items and seeds."""
        parts = [self.seed_value((domain, group, s), scope, measure) for s in self.seeds[domain]]
        weights = self.seed_weights[domain]
        draws = np.stack([part[1] for part in parts], axis=1)
        return float(np.mean([part[0] for part in parts])), (draws * weights).sum(axis=1)

    def interval(self, value: float, draws: Floats) -> Interval:
        """The interval of a value at the confidence level asked for."""
        return percentile_interval(value, draws, self.options.confidence)

    def design(self) -> Row:
        """What was compared."""
        return {
            "tuned_domains": self.domains,
            "test_domains": sorted({domain for domain, _ in self.blocks}),
            "groups": in_order({g for groups in self.groups.values() for g in groups}),
            "seeds": sorted({s for seeds in self.seeds.values() for s in seeds}),
            "runs": len(self.runs),
            "items": sum(len(ids) for ids in self.blocks.values()),
            **self._asked(),
            "ood_roles": list(self.options.ood_roles),
            **self._repeated(),
        }

    def _repeated(self) -> Row:
        """Test items that say what others do, and domains that are one piece; none if none."""
        repeated = self.shared.repeated([i for ids in self.blocks.values() for i in ids])
        pieces = sorted({self.shared.piece(domain) for domain in self.domains})
        joined = [list(piece) for piece in pieces if len(piece) > 1]
        said = {"repeated_items": repeated, "joined_domains": joined}
        return said if repeated or joined else {}

    def _asked(self) -> Row:
        """The options; those of the ranks where they are not ours."""
        usual = CompareOptions()
        asked = asdict(self.options)
        return {
            name: value
            for name, value in asked.items()
            if name not in ("ranks", "partial") or value != getattr(usual, name)
        }


def _blocks(
    base: Mapping[str, Row], tables: Mapping[Run, Mapping[str, Row]]
) -> dict[Block, list[str]]:
    """Ids of the test items by (domain, role), after a check that all runs answer the same."""
    first = min(tables)
    for run, table in sorted(tables.items()):
        differ = sorted(table.keys() ^ tables[first].keys())
        if differ or not table:
            raise UserError(
                f"compare_groups: {_named(run)} and {_named(first)} answer different questions "
                f"({len(differ)} differ, such as {differ[:1]}); evaluate both on one test split"
            )
    unknown = sorted(tables[first].keys() - base.keys())
    if unknown:
        raise UserError(
            f"compare_groups: {_named(first)} answers question '{unknown[0]}' (and "
            f"{len(unknown) - 1} more) that the base model was not probed on; probe the base "
            "model on the whole test split"
        )
    blocks: dict[Block, list[str]] = {}
    for name, row in sorted(tables[first].items()):
        blocks.setdefault((row["domain"], row["role"]), []).append(name)
    return dict(sorted(blocks.items()))


def mean_of(parts: Sequence[Drawn]) -> Drawn:
    """The mean of several numbers with equal weights: value, draws."""
    return float(np.mean([p[0] for p in parts])), np.mean([p[1] for p in parts], axis=0)


def _named(run: Run) -> str:
    return f"the model tuned on '{run[0]}', group '{run[1]}', seed {run[2]}"


def _by_options(
    run: Run,
    ids: list[str],
    before: list[list[float]],
    after: list[list[float]],
    measure: Callable[[Floats, Floats], Floats],
) -> Floats:
    """``measure`` per item, with items of one number of options taken together."""
    values = np.empty(len(ids))
    for width in sorted({len(probs) for probs in before}):
        where = [n for n, probs in enumerate(before) if len(probs) == width]
        for n in where:
            if len(after[n]) != width or not np.isfinite([*before[n], *after[n]]).all():
                raise UserError(
                    f"compare_groups: {_named(run)}, question '{ids[n]}': the probabilities "
                    f"{after[n]} do not match those of the base model {before[n]}"
                )
        values[where] = measure(
            np.array([before[n] for n in where]), np.array([after[n] for n in where])
        )
        for n in where:
            if not np.isfinite(values[n]):
                raise UserError(
                    f"compare_groups: {_named(run)}, question '{ids[n]}': KL is infinite, as an "
                    "option has probability 0 after tuning; raise compare_groups.epsilon above 0"
                )
    return values
