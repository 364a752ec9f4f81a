"""Which outputs may be accepted for what the code here makes: those that differ in code alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from tuneatlas.audit.lineage import RESULTS, Results
from tuneatlas.audit.reasons import code_now, other_reasons
from tuneatlas.engine.accepted import identities
from tuneatlas.engine.digest import Code
from tuneatlas.engine.jobs import Job
from tuneatlas.engine.records import SUFFIX
from tuneatlas.errors import UserError

SHOWN = 6


@dataclass
class Acceptable:
    """Outputs of other code, with the code here; how many are of it, and how many not made."""

    due: dict[str, Code] = field(default_factory=dict)
    current: int = 0
    unmade: int = 0


def acceptable(
    jobs: Sequence[Job], results: Results, step: str, chosen: Sequence[str] = ()
) -> Acceptable:
    """The outputs of a step, or those ``chosen`` of them, that differ in code alone.

    Raises:
        UserError: there is no such step or output; an output differs in config or inputs, too; its
            record is damaged, or its bytes are not those of its record.
    """
    mine = {name: job for job in jobs if job.step == step for name in job.outputs}
    if not mine:
        steps = sorted({job.step for job in jobs})
        near = get_close_matches(step, steps, 1)
        hint = f"did you mean {near[0]}?" if near else f"its steps are {', '.join(steps)}"
        raise UserError(f"accept: {step}: this experiment has no such step; {hint}")
    names = _chosen(list(mine), results, step, chosen) if chosen else list(mine)
    # What a person vouches for is read, whatever times say.
    results.renewed.update(name for job in mine.values() for name in job.inputs)
    found = Acceptable()
    problems: dict[str, list[str]] = {}
    for name in names:
        if name not in results.records and name not in results.unreadable:
            found.unmade += 1
            continue
        reasons = list(_against(mine[name], results, name))
        if reasons:
            for reason in reasons:
                problems.setdefault(reason, []).append(name)
        elif (now := code_now(mine[name], results)) in identities(results.records[name]):
            found.current += 1
        else:
            found.due[name] = now
    if problems:
        lines = [f"    {reason}: {_some(outputs)}" for reason, outputs in problems.items()]
        raise UserError(
            f"accept: {step}: only a change of code or of a library can be accepted, of outputs "
            "that differ in nothing else; nothing was written. There is more:\n" + "\n".join(lines)
        )
    return found


def _chosen(names: list[str], results: Results, step: str, chosen: Sequence[str]) -> list[str]:
    kept: dict[str, None] = {}
    for word in chosen:
        wanted = word.removesuffix(SUFFIX).removeprefix("./").rstrip("/")
        path = Path(wanted)
        if path.is_absolute() and path.is_relative_to(results.folder.absolute()):
            wanted = RESULTS + path.relative_to(results.folder.absolute()).as_posix()
        hit = [
            n for n in names if n == wanted or n.startswith(wanted + "/") or fnmatchcase(n, wanted)
        ]
        if not hit:
            raise UserError(
                f"accept: {word}: no output of {step} in this experiment; they are {_some(names)}"
            )
        kept |= dict.fromkeys(hit)
    return list(kept)


def _against(job: Job, results: Results, name: str) -> Iterator[str]:
    """What speaks against taking an output for one of the code here."""
    if name in results.unreadable:
        yield f"its record is damaged: {results.unreadable[name]}"
        return
    if name in results.unsealed:
        yield f"its record is not to be trusted: {results.unsealed[name]}"
    content = results.content(name)
    # Of one that was deleted, the record says what it was.
    if content and not content.is_(results.records[name]["sha256"]):
        yield content.problem or "it is not what the step wrote; run tuneatlas audit"
    yield from other_reasons(job, results, name)


def _some(names: Sequence[str]) -> str:
    more = f" … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
