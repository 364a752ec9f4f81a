# How often the engine looks what may start. After each of its rounds it orders another one, a second
# later: one that found all cores busy, too. So there are as many rounds a second as jobs have
# started so far, each of which asks for the size of what every waiting job reads: half a second of
# processor time a job in a run of hundreds, and no bound.
import threading

import snakemake.workflow

SCHEDULER = getattr(snakemake.workflow, "JobScheduler", object)
require_pinned(
    SCHEDULER,
    {"_schedule_reevalutation": ["self", "delay"]},
    state=["_open_jobs"],
)


class OneRound(SCHEDULER):
    """Orders no round while another is ordered."""

    ordered = None

    def _schedule_reevalutation(self, delay):
        if self.ordered is None:
            self.ordered = threading.Timer(delay, self.next_round)
            # Nothing is left to look at when the last job has ended.
            self.ordered.daemon = True
            self.ordered.start()

    def next_round(self):
        # First, so that the round itself may order one.
        self.ordered = None
        self._open_jobs.release()


snakemake.workflow.JobScheduler = OneRound
