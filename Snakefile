"""tuneatlas: what tuning does to a language model. See README.md."""


include: "workflow/Snakefile"


# The engine forgets the default target of what it includes.
if workflow.modifier.is_main_snakefile():
    workflow.default_target = "all"
