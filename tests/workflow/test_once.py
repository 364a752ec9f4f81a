"""A plan asks once for a rule what is the same for all of its jobs."""

from types import SimpleNamespace

# First, as its parts import one another.
import snakemake.api
import snakemake.common
import snakemake.dag
import snakemake.rules

from tests.examples import ROOT


class Looks:
    """Stands in for the part of the engine that looks for the script of each job."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    def process_job(self, job: SimpleNamespace) -> None:
        self.looked.append(job.rule.name)


def job(name: str, *, own: bool = True) -> SimpleNamespace:
    return SimpleNamespace(rule=SimpleNamespace(name=name), own=own)


def test_what_jobs_of_one_rule_have_alike_is_asked_for_once(monkeypatch):
    real = snakemake.common.get_function_params
    asked = []

    def arguments(function):
        asked.append(function)
        return real(function)

    monkeypatch.setattr(snakemake.dag, "ScriptProcessor", Looks)
    monkeypatch.setattr(
        snakemake.common, "get_function_params", lambda f: asked.append(f) or real(f)
    )
    monkeypatch.setattr(snakemake.rules, "get_function_params", real)
    pinned = {"require_pinned": lambda *_: None, "is_own": lambda one: one.own}
    exec((ROOT / "workflow/rules/once.smk").read_text(), pinned)
    scripts = snakemake.dag.ScriptProcessor()
    # Those of another workflow may have wildcards in the path of their script.
    for name, own in (("a", True), ("b", True), ("a", True), ("c", False), ("c", False)):
        scripts.process_job(job(name, own=own))
    assert scripts.looked == ["a", "b", "c", "c"]

    def needs(wildcards, attempt):
        return attempt

    for _ in range(3):
        given = {"attempt": 2, "threads": 1}
        assert snakemake.common.get_input_function_aux_params(needs, given) == {"attempt": 2}
    assert asked == [needs]
