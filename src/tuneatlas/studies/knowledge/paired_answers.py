"""Answers of base and tuned models to the same items, and bootstrap means that stay paired.

Items are resampled within each block of test items (domain, role), once for all models and
measures: any two numbers taken from here are therefore paired by item. Items that say the same,
in whatever blocks they stand, are drawn together.

Replicates of the base model answer the same items, which are drawn once for all of them (crossed);
tuning seeds are of one replicate (nested) and come with it. So the spread between replicates, each
a mean over its seeds, holds all that comes of pre-training and tuning anew.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from tuneatlas.data.groups import in_order
from tuneatlas.data.scopes import ALL, SCOPES, scope_of
from tuneatlas.errors import UserError
from tuneatlas.statistics.bootstrap import (
    CONFIDENCE,
    DRAWS,
    Floats,
    Interval,
    percentile_interval,
    replicate_weights,
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
# Rows of the base model, and of each run, by id.
Indexed = tuple[Mapping[str, Row], Mapping[Run, Mapping[str, Row]]]


class Answers(NamedTuple):
    """ANSWERS rows of a base model, by domain, and of the models tuned from it."""

    base: Mapping[str, Sequence[Row]]
    tuned: Mapping[Run, Sequence[Row]]


@dataclass(frozen=True)
class CompareOptions:
    """Roles that count out of the domain, resamples, confidence level, the floor of KL, and ranks.

    ``ranks``: of options that tie; ``partial``: what of the residuals is correlated;
    ``manipulation_checks``: what is other than the bounds that they have (``Bounds``); ``facts``:
    what test questions are about, ``mentioned`` ones being those that the corpus states.
    """

    ood_roles: tuple[str, ...] = ("related",)
    draws: int = DRAWS
    confidence: float = CONFIDENCE
    epsilon: float = EPSILON
    ranks: Ranks = "mean"
    partial: Residuals = "pearson"
    manipulation_checks: Mapping[str, float] = field(default_factory=dict)
    facts: str = ALL


class PairedAnswers:
    """Item values of every run in blocks of test items, and the bootstrap means of the blocks.

    A column is (run, measure); the last column is the accuracy of the base model. Numbers are
    means over replicates, except those of ``each``.
    """

    def __init__(
        self,
        answers: Mapping[str, Answers],
        options: CompareOptions,
        rng: np.random.Generator,
        shared: SharedQuestions | None = None,
    ) -> None:
        """Check that all runs answer the same items and resample them; answers by replicate."""
        tuned_answers = next(iter(answers.values())).tuned
        if not tuned_answers:
            raise UserError("compare_groups: no answers of tuned models to compare")
        self.replicates = list(answers)
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
        indexed = {name: _indexed(own) for name, own in answers.items()}
        self.blocks = _common_blocks(indexed)
        # Values of single items: (replicates, columns, items).
        self.single_items = {
            block: np.stack([self._columns(*own, ids) for own in indexed.values()])
            for block, ids in self.blocks.items()
        }
        values = {block: own.mean(axis=0) for block, own in self.single_items.items()}
        draws = self._resample(values, rng)
        several = len(answers) > 1
        others = replicate_weights(len(answers), options.draws, rng) if several else None
        # Column sums over the blocks of a scope, per item: (columns,) and (draws, columns).
        self.scopes: dict[tuple[str, str], tuple[Floats, Floats]] = {}
        # The same of each replicate: (replicates, columns).
        self.each: dict[tuple[str, str], Floats] = {}
        for cell in self.cells():
            blocks, items = self.scope_blocks(*cell), self.items([cell])
            means = sum(values[b].sum(axis=1) for b in blocks) / items
            resampled = sum(draws[b] * len(self.blocks[b]) for b in blocks) / items
            self.each[cell] = np.asarray(
                sum(self.single_items[b].sum(axis=2) for b in blocks) / items
            )
            if others is not None:
                resampled = resampled + others @ self.each[cell]
            self.scopes[cell] = (np.asarray(means), np.asarray(resampled))
        self._ties = {
            (name, run, block): sum(rows[i]["tied"] > 0 for i in ids)
            for name, (base, tables) in indexed.items()
            for run, rows in [(None, base), *tables.items()]
            for block, ids in self.blocks.items()
        }
        self.seed_weights = {
            # Seeds come with their replicate; drawn again, they would count twice.
            d: np.full((options.draws, len(self.seeds[d])), 1 / len(self.seeds[d]))
            if several
            else resample_seeds(len(self.seeds[d]), options.draws, rng)
            for d in self.domains
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
            name = f"compare_groups: {_named(run)}"
            columns.append(np.array([row["correct"] for row in rows], dtype=np.float64))
            columns.append(by_options(name, ids, before, after, divergence))
            columns.append(by_options(name, ids, before, after, consistency))
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

    def ties(
        self, runs: Iterable[Run | None], domain: str, scope: str, replicate: str | None = None
    ) -> int:
        """Answers that are ties, and so wrong, of ``runs`` (None: the base model) in a scope."""
        blocks = self.scope_blocks(domain, scope)
        names = self.replicates if replicate is None else [replicate]
        return sum(self._ties[n, run, block] for n in names for run in runs for block in blocks)

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
        column = self._column(run, measure)
        return float(value[column]), draws[:, column]

    def _column(self, run: Run, measure: str) -> int:
        return self.runs.index(run) * len(MEASURES) + MEASURES.index(measure)

    def single(self, replicate: str, run: Run, scope: str, measure: str) -> float:
        """A measure of one run of one replicate."""
        column = self._column(run, measure)
        return float(self.each[run[0], scope][self.replicates.index(replicate), column])

    def per_replicate(self, domain: str, group: str, scope: str, measure: str) -> list[float]:
        """A measure in each replicate, averaged over seeds; of group "base" its accuracy."""
        values = self.each[domain, scope]
        if group == "base":
            return [float(v) for v in values[:, -1]]
        columns = [self._column((domain, group, s), measure) for s in self.seeds[domain]]
        return [float(v) for v in values[:, columns].mean(axis=1)]

    def per_item(self, domain: str, group: str, scope: str, measure: str) -> Floats:
        """A measure of each item in each replicate, averaged over seeds: (replicates, items)."""
        columns = [self._column((domain, group, s), measure) for s in self.seeds[domain]]
        blocks = self.scope_blocks(domain, scope)
        own = [self.single_items[block][:, columns].mean(axis=1) for block in blocks]
        return np.concatenate(own, axis=1)

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
            "replicates": self.replicates,
            "runs": len(self.runs) * len(self.replicates),
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
        """The options; those of the ranks and facts where they are not ours."""
        usual = CompareOptions()
        asked = asdict(self.options)
        return {
            name: value
            for name, value in asked.items()
            if name not in ("ranks", "partial", "facts") or value != getattr(usual, name)
        }


def _indexed(answers: Answers) -> Indexed:
    """Rows of the base model and of each tuned model, by the id of the question."""
    base = {row["id"]: row for rows in answers.base.values() for row in rows}
    return base, {run: {row["id"]: row for row in rows} for run, rows in answers.tuned.items()}


def _common_blocks(indexed: Mapping[str, Indexed]) -> dict[Block, list[str]]:
    """The blocks of test items, after a check that all replicates have the same runs and items."""
    found = {name: _blocks(*own) for name, own in indexed.items()}
    (first, blocks), *others = found.items()
    for name, own in others:
        if own != blocks or indexed[name][1].keys() != indexed[first][1].keys():
            raise UserError(
                f"compare_groups: replicates {name} and {first} were not asked the same, or were "
                "tuned with other groups or seeds; run evaluate_knowledge of both again"
            )
    return blocks


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


def by_options(
    name: str,
    ids: Sequence[str],
    before: Sequence[Sequence[float]],
    after: Sequence[Sequence[float]],
    measure: Callable[[Floats, Floats], Floats],
) -> Floats:
    """``measure`` per item, with items of one number of options taken together.

    Args:
        name: of the tuned model, in messages.
        ids: of the items.
        before: probabilities of the base model, by option, of each item.
        after: the same of the tuned model.
        measure: of both, as (items, options).

    Raises:
        UserError: an item has other options or no finite probabilities, or the measure is infinite.
    """
    values = np.empty(len(ids))
    for width in sorted({len(probs) for probs in before}):
        where = [n for n, probs in enumerate(before) if len(probs) == width]
        for n in where:
            if len(after[n]) != width or not np.isfinite([*before[n], *after[n]]).all():
                raise UserError(
                    f"{name}, question '{ids[n]}': the probabilities "
                    f"{after[n]} do not match those of the base model {before[n]}"
                )
        values[where] = measure(
            np.array([before[n] for n in where]), np.array([after[n] for n in where])
        )
        for n in where:
            if not np.isfinite(values[n]):
                raise UserError(
                    f"{name}, question '{ids[n]}': KL is infinite, as an option has probability 0 "
                    "after tuning; raise compare_groups.epsilon above 0"
                )
    return values
