"""While jobs are planned the collector of objects rests, and is at work again afterwards."""

import asyncio
import gc

import pytest

# First, as its parts import one another.
import snakemake.api
import snakemake.workflow

from tests.examples import ROOT


@pytest.mark.parametrize("fails", [False, True])
def test_the_collector_rests_while_jobs_are_planned(monkeypatch, fails: bool):
    seen = []

    class Plans:
        async def init(self, progress: bool) -> None:
            seen.append(gc.isenabled())
            if fails:
                raise RuntimeError("no plan")

    monkeypatch.setattr(snakemake.workflow, "DAG", Plans)
    exec((ROOT / "workflow/rules/collecting.smk").read_text(), {"IS_MODULE": False})
    frozen = gc.get_freeze_count()
    try:
        if fails:
            with pytest.raises(RuntimeError, match="no plan"):
                asyncio.run(snakemake.workflow.DAG().init(False))
        else:
            asyncio.run(snakemake.workflow.DAG().init(False))
        assert seen == [False] and gc.isenabled()
        # What is there by then is looked through no more.
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


def test_that_of_another_workflow_is_left_alone(monkeypatch):
    own = type("Plans", (), {})
    monkeypatch.setattr(snakemake.workflow, "DAG", own)
    exec((ROOT / "workflow/rules/collecting.smk").read_text(), {"IS_MODULE": True})
    assert snakemake.workflow.DAG is own
