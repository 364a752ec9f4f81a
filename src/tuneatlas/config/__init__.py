"""One experiment in YAML: typed, checked, documented from one source, the models.

Empty on purpose: importing one section's model must not pull in the others, because a
step's code identity covers every module that it imports.
"""
