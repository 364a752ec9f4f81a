# Pods that mount the project's folder share it, as the nodes of a cluster do. The executor takes for
# granted that nothing is shared, and would have all results in an object store, where neither
# their records nor what a job that was cut off had saved have a place.
import shlex
from dataclasses import replace

from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

if PODS := ExecutorPluginRegistry().plugins.get("kubernetes"):
    PODS.common_settings = replace(
        PODS.common_settings,
        implies_no_shared_fs=False,
        job_deploy_sources=False,
        pass_default_storage_provider_args=False,
        auto_deploy_default_storage_provider=False,
    )

    class Pod(PODS.executor):
        """Works in the run's folder; the executor begins in an empty one of the pod's own."""

        def get_job_exec_prefix(self, job):
            return f"cd {shlex.quote(self.workflow.workdir_init)}"

    PODS.executor = Pod


def check_site(requests):
    """Refuse what this site cannot run: Slurm, or Kubernetes."""
    settings = workflow.executor_settings
    if workflow.executor_plugin is PODS:
        mounted = [volume.path for volume in settings.persistent_volumes]
        return tuneatlas.check_pods(requests, ROOT, mounted)
    tuneatlas.check_cluster(requests, ROOT, tuneatlas.site_options(settings))
