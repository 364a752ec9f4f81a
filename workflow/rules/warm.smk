# Jobs that run on this machine need not load their libraries each: see engine/warm.py.
def start_warm():
    """Start the process that they are copies of, where they have no environment of their own."""
    if not workflow.deployment_settings.deployment_method:
        tuneatlas.start_warm()


onstart:
    if workflow.local_exec:
        start_warm()


# A group's jobs, within the cluster job that runs them: hooks are not called there.
if workflow.remote_exec and len(workflow.dag_settings.target_jobs) > 3:
    start_warm()
