"""From a number of the report to its items, and from their rows to the number again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from tuneatlas.audit.columns import Columns
from tuneatlas.audit.lineage import Results
from tuneatlas.audit.numbers import numbers
from tuneatlas.audit.query import rows_of
from tuneatlas.audit.terms import SUM, Number, Term, Where
from tuneatlas.data.mentions import MENTIONED, UNMENTIONED
from tuneatlas.errors import UserError
from tuneatlas.statistics.correlation import mean_correlation, partial_spearman


@dataclass
class Items:
    """The attributes that ``where`` asks for, by item id."""

    attributes: dict[str, dict[str, str]]

    def chosen(self, ids: Sequence[str], where: Where) -> list[str]:
        """Those of ``ids`` that have the attributes."""
        if not where:
            return list(ids)
        found = self.attributes
        return [i for i in ids if all(found.get(i, {}).get(k) in v for k, v in where.items())]


def read_items(results: Results) -> Items:
    """Attributes of all questions and pairs."""
    found: dict[str, dict[str, str]] = {}
    for name in results.of_step("prepare_questions"):
        columns = ("id", "domain", "role", "split", "relation")
        for i, domain, role, split, relation in rows_of(results, name, *columns):
            found[i] = {"block": f"{domain}/{role}", "split": split, "relation": relation}
    for name in results.of_step("prepare_corpus"):
        if name.endswith("mentions.parquet"):
            for i, mentions in rows_of(results, name, "id", "mentions"):
                if i in found:
                    found[i]["facts"] = MENTIONED if mentions else UNMENTIONED
    for name in results.of_step("prepare_paraphrases"):
        for i, hard, long in rows_of(results, name, "id", "hard", "long"):
            found[i] = {
                "pair": "hard" if hard else "not hard",
                "length": "long" if long else "not long",
            }
    return Items(found)


def compute(number: Number, columns: Columns, items: Items) -> float:
    """The number again, from the rows of its items."""
    if number.points:
        each = []
        for points in number.points:
            values = [[compute(n, columns, items) for n in point] for point in points]
            first, second, control = zip(*values, strict=True)
            each.append(partial_spearman(first, second, control))
        return float(mean_correlation(each).value)
    return sum(t.weight * _mean(t, columns, items) for t in number.terms)


def _mean(term: Term, columns: Columns, items: Items) -> float:
    total, size = 0.0, 0.0
    for output in term.outputs:
        column = columns.column(output, term.column)
        over = columns.column(output, term.over) if term.over not in ("", SUM) else {}
        for i in items.chosen(list(column), term.where):
            total += column[i]
            size += over[i] if over else 1
    if term.over == SUM:
        return total
    return total / size if size else float("nan")


def behind(number: Number, columns: Columns, items: Items) -> dict[str, list[tuple[Term, float]]]:
    """The items of a number: by id, the value that each term has for it."""
    found: dict[str, list[tuple[Term, float]]] = {}
    for term in number.all_terms():
        for output in term.outputs:
            column = columns.column(output, term.column)
            for i in items.chosen(list(column), term.where):
                found.setdefault(i, []).append((term, column[i]))
    return found


def told_number(results: Results, address: str) -> Iterator[str]:
    """A number of the report, the same from the rows of its items, and these items.

    Raises:
        UserError: the report has no such number; those that begin alike are named.
    """
    found = {n.address: n for n in numbers(results)}
    if address not in found:
        part = address.rstrip("/")
        near = [a for a in found if a.startswith(part + "/")] or get_close_matches(
            address, found, n=5, cutoff=0.5
        )
        shown = "\n  ".join(["", *near[:20]]) + ("\n  …" if len(near) > 20 else "")
        raise UserError(f"{address}: no number of the report has this address; like it:{shown}")
    number, columns, items = found[address], Columns(results), read_items(results)
    rows = behind(number, columns, items)
    yield f"{address}: {number.value} in the report"
    yield f"again, from its items: {compute(number, columns, items):.6f}"
    for output in dict.fromkeys(o for t in number.all_terms() for o in t.outputs):
        yield f"in {output}"
    yield f"{len(rows)} items, each with its values:"
    for item, values in rows.items():
        signs = ("-" if term.weight < 0 else "" for term, _ in values)
        yield f"{item}\t" + " ".join(f"{s}{v:g}" for s, (_, v) in zip(signs, values, strict=True))
