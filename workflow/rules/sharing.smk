# What another experiment of this project has made of the same is taken from its folder, before the
# engine decides which jobs are due. A plan says so, and takes nothing.
from collections import Counter as _Counter

from snakemake.logging import logger

SHARING = getattr(snakemake.workflow, "DAG", object)


class WithSharing(SHARING):
    """Jobs whose outputs stand in another run folder of the project are not run."""

    async def update_needrun(self, create_inventory=False):
        if create_inventory and self.may_share():
            self.share()
        await super().update_needrun(create_inventory)

    def may_share(self):
        """Whether this process plans a run of its own, by which nothing is made anew on purpose."""
        flow = self.workflow
        forced = self.forcerules or self.forcefiles or flow.dag_settings.forceall
        # Of a folder in which another run is at work, the engine says so in a moment.
        at_work = flow.is_main_process and flow.executor_plugin and not tuneatlas.is_locked(ROOT)
        return at_work and not (forced or flow.touch)

    def share(self):
        jobs = [planned(job) for job in self.jobs if job.output and is_own(job)]
        found = tuneatlas.offers(jobs, KNOWN, OTHERS)
        if found and not self.workflow.dryrun:
            found = [offer for offer in found if taken(offer)]
            STANDING.update(tuneatlas.standing(KNOWN))
        if found:
            steps = _Counter(offer.job.step for offer in found)
            counted = ", ".join(f"{step} {times}" for step, times in steps.items())
            folders = ", ".join(dict.fromkeys(str(offer.source) for offer in found))
            said = "Would be taken" if self.workflow.dryrun else "Taken"
            number = f"{len(found)} job" + "s" * (len(found) > 1)
            logger.info(f"{said} from {folders}, not run: {number}: {counted}")


def taken(offer):
    """Whether an offer was taken; what was not is made here."""
    if why := tuneatlas.take(offer, KNOWN):
        logger.warning(f"{why}: made here")
    return not why


# The other run folders of this project; a module of another workflow has none.
OTHERS = [] if IS_MODULE else tuneatlas.others_of(Path(), BESIDE)

if OTHERS:
    snakemake.workflow.DAG = WithSharing
