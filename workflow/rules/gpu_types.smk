# The GPUs of a site: profiles/slurm/gpus.yaml has its types, if it tells them apart.
from functools import cache

# The one to be preferred first.
try:
    GPU_TYPES = tuneatlas.read_types(HOME / tuneatlas.GPU_TYPES)
except UserError as error:
    raise WorkflowError(str(error)) from None


@cache
def study():
    """The experiment to reckon memory by."""
    return tuneatlas.study_on_any(SETTINGS, ROOT)


def gpu_type(wildcards, rulename):
    """The type that a job of a rule, which another workflow may have renamed, is to run on."""
    step = Path(workflow.get_rule(rulename).script).stem
    gib = tuneatlas.memory_of(study(), step, dict(wildcards.items()))
    return tuneatlas.type_for(GPU_TYPES, gib)


def typed(each_node=0):
    """What leads a job to a type with memory enough; ``each_node``: GPUs on each of several."""
    keys = list(GPU_TYPES[0].asks) if GPU_TYPES else []
    found = {key: lambda w, rulename, key=key: gpu_type(w, rulename).asks[key] for key in keys}
    if each_node and (model := found.pop("gpu_model", None)):
        # The executor knows no model of GPUs on several nodes.
        found["gres"] = lambda w, rulename: f"gpu:{model(w, rulename)}:{each_node}"
    return found
