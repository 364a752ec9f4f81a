# Jobs that run on this machine need not load their libraries each: see engine/warm.py.

# With fewer jobs to run, loading them once more costs more than it spares.
WORTH = 12


def start_warm(jobs):
    """Start the process that so many jobs are copies of, unless their environment is another."""
    if jobs >= WORTH and not workflow.deployment_settings.deployment_method:
        tuneatlas.start_warm()
