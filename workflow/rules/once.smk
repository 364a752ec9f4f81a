# What the engine works out anew for each job, though those of one rule have it alike, such as which
# arguments a function takes, and that a script is there. Of a plan of 10,000 jobs that was 28 % of the
# processor time.
from functools import lru_cache

import snakemake.common
import snakemake.dag
import snakemake.rules

SCRIPTS = getattr(snakemake.dag, "ScriptProcessor", object)
require_pinned(SCRIPTS, {"process_job": ["self", "job"]})


class Once(SCRIPTS):
    """Looks for a script once for all jobs of its rule, whose path bears no wildcards."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seen = set()

    def process_job(self, job):
        name = job.rule.name
        if name not in self.seen:
            super().process_job(job)
            if is_own(job):
                self.seen.add(name)


snakemake.dag.ScriptProcessor = Once
if not hasattr(snakemake.common.get_function_params, "cache_info"):
    ARGUMENTS = lru_cache(4096)(snakemake.common.get_function_params)
    snakemake.common.get_function_params = ARGUMENTS
    snakemake.rules.get_function_params = ARGUMENTS
