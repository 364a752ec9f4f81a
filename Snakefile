"""tuneatlas: what tuning does to a language model. See README.md."""


include: "workflow/Snakefile"
