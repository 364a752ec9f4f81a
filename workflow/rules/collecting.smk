# What a plan is made of stays as long as the run, millions of objects of tens of thousands of jobs.
# Python's collector goes through all of them again whenever a quarter more is there, and finds nothing
# to free.
import gc

import snakemake.workflow


class Kept(snakemake.workflow.DAG):
    """Leaves the collector out while jobs are planned, and then what was planned out of it."""

    async def init(self, progress=False):
        collects = gc.isenabled()
        gc.disable()
        try:
            await super().init(progress)
        finally:
            gc.freeze()
            if collects:
                gc.enable()


if not IS_MODULE:
    snakemake.workflow.DAG = Kept
