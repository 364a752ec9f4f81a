# make run    the default experiment, from an empty machine to results/report/index.html; another one,
#             CONFIG=config/law.yaml, works in runs/NAME, by the name in it, and so do all commands
#             TARGET=s1, s2 or s3: that study alone, to its tables and figures
# make diagnose BASE=... TUNED=...   what did my tuning do? TUNED and ADAPTER are folders (with {step}:
#             at several steps) or owner/name@COMMIT of the hub, BASE too, or a config with that model;
#             QUESTIONS=file, TEXT=text like that of pre-training (none: nothing is restored), ALL=1;
#             ATLAS=1: where it changed, what other prompts reach, what lies between, too
# make test   all tests
# make test-slow  the rerun matrix: what each edit of a list rebuilds
# make slurm-test    the workflow on a real Slurm cluster, which it makes on this machine if it can;
#                    QUICK=1 leaves out a training of nine time limits
# make slurm-faults  the same under 30 faults at random instants, then compared byte by byte; SCATTERED=1:
#                    of S1, asked in shards, its tuned weights let go
# make plan   what is missing or wrong before the first job, then the jobs that would run
# make why    which jobs would run, and because of what; TARGET as above, or a step or file
# make accept STEP=finetune WHY="only a message": say on record that a change of code that you read
#             changes none of the step's outputs, so that they stand; OUTPUT=… of these alone
# make clean-weights  let tuned and restored models go that all that reads them has read; they come
#             back where something is to be made from them
# make size   what the experiment needs: memory, GPU-hours, storage; refuses what cannot fit
# make simulate  how long it takes on clusters of several sizes, and what holds it up; GPUS="8 64",
#             PREEMPTED_EVERY=hours that a node is left alone: what that loses, and how often to save
# make power  the smallest effects that the experiment could tell, before it runs, and what would halve
#             them at which cost; PILOT=results: with the variances of a finished run
# make watch  a run at work on one page: how far, what waits for what, when it will be done; TARGET as
#             it was given to make run
# make list   which experiments stand in this project, how old, how large, how far
# make publish MODEL=results/finetune/…/0   a model's folder with a card for the hub, in published/ or
#             TO; of another experiment with its path or CONFIG. Nothing is uploaded.
# make check  linters only
# make bench  our speed beside that of peers; make bench ROW=ted for one row
# make site   the documentation as a site, in site/; fails at a link that leads nowhere
# make audit  verify that every result is what its record says; exit code 1 if one is not
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The folder of the environment, .venv, or another one that .venv is made a link to: jobs cannot be
# started by a path with blanks, quotes and the like, which the project's own may have.
VENV ?=
# One file or several, of which the later override the earlier: words for a shell, quoted if need be.
CONFIG ?= config/config.yaml
TARGET ?= all
PROFILE ?= default
# size, simulate: the device to plan for
DEVICE ?= a100-80
# simulate: GPUs in all, a line each (1 8 64 512), and hours that a node is left alone (for ever)
GPUS ?=
PREEMPTED_EVERY ?=
# power: results of a finished run
PILOT ?=
# bench: a finished run of the default experiment, and the rows to measure (all)
RESULTS ?= results
ROW ?=
# diagnose: the base model, what was tuned from it, and what to ask and restore with
BASE ?=
TUNED ?=
ADAPTER ?=
QUESTIONS ?=
TEXT ?=
ALL ?=
ATLAS ?=
# publish: the model's folder, and a new one to write
MODEL ?=
TO ?=
# accept: the step, why, and outputs or patterns such as '*/mini/*' (all)
STEP ?=
WHY ?=
OUTPUT ?=
# The step that a study ends with.
LAST_s1 = compare_groups
LAST_s2 = stage_forgetting
LAST_s3 = compare_paraphrases
LAST = $(LAST_$(TARGET))
# A text as one word of a shell, and only so where it is not one as it is.
quoted = '$(subst ','\'',$1)'
word_of = $(if $(or $(word 2,$1),$(findstring ',$1),$(findstring ",$1),$(findstring \,$1)),$(quoted),$1)
# The same experiment in the same place, whole.
WHOLE = $(strip make run \
	$(foreach x,CONFIG PROFILE,$(if $(filter file,$(origin $x)),,$x=$(call word_of,$($x)))))
LOOK_all = Open %/report/index.html in a browser; its numbers lead to %/audit.
LOOK = $(if $(LAST),Tables and figures are in %/$(LAST); $(WHOLE) adds the report.,$(LOOK_$(TARGET)))
SNAKEMAKE = .venv/bin/snakemake --profile profiles/$(PROFILE) --configfile $(CONFIG)
# Where the experiment works: $$folder, and its $$results.
IN_FOLDER = folder=$$(.venv/bin/tuneatlas folder $(CONFIG)) && [ -n "$$folder" ] || exit 2; \
	case "$$folder" in .) results=results;; *) results="$$folder/results";; esac
# What to look at once it has run: a sign of percent stands for the folder of results.
LOOK_AT = echo $(call quoted,Done. $(or $(LOOK),What was made is in %.)) | sed "s|%|$$results|g"
# Config files that are not there, or pipes, the engine would end with a traceback or wait for.
HAVE_CONFIG = for file in $(CONFIG); do [ -f "$$file" ] || \
	{ echo "$$file: there is no such config file" >&2; exit 2; }; done
# Each config file as an option of its own.
WITH_CONFIG = $(HAVE_CONFIG); set --; for file in $(CONFIG); do set -- "$$@" --config "$$file"; done
SOURCES = src tests bench workflow/scripts workflow/plan.py

.PHONY: run diagnose plan why accept clean-weights size simulate power watch list publish plans test test-slow slurm-test slurm-faults check audit bench site format \
	config-docs lock clean

run: .venv/ready
	@$(HAVE_CONFIG); $(IN_FOLDER); \
	$(SNAKEMAKE) --directory "$$folder" -- $(TARGET) || exit; $(LOOK_AT)

diagnose: CONFIG = config/diagnosed.yaml
diagnose: .venv/ready
	@.venv/bin/tuneatlas diagnose --base $(call quoted,$(BASE)) --output $(CONFIG) \
	$(if $(TUNED),--tuned $(call quoted,$(TUNED))) $(if $(ADAPTER),--adapter $(call quoted,$(ADAPTER))) \
	$(if $(QUESTIONS),--questions $(call quoted,$(QUESTIONS))) $(if $(TEXT),--text $(call quoted,$(TEXT))) \
	$(if $(ALL),--all) $(if $(ATLAS),--atlas)
	@$(IN_FOLDER); $(SNAKEMAKE) --directory "$$folder" -- all || exit; $(LOOK_AT)

test: check
	@# A file at a time, in this order: what begins with the same run or model shares it.
	@.venv/bin/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
	@echo "All tests passed. What a failing test left behind is named in its message."

test-slow: .venv/ready
	@.venv/bin/pytest -m "slow and not slurm"

slurm-test: .venv/ready
	@.venv/bin/pytest -n0 -m "slurm $(if $(QUICK),and not slow)" -rs tests/slurm

slurm-faults: .venv/ready
	@.venv/bin/python tests/slurm/faults.py --faults 30 $(if $(SCATTERED),--scattered)

plan: .venv/ready
	@.venv/bin/tuneatlas config preflight $(CONFIG)
	@$(IN_FOLDER); $(SNAKEMAKE) --directory "$$folder" --dry-run --quiet rules -- $(TARGET)

why: .venv/ready
	@$(WITH_CONFIG); .venv/bin/tuneatlas why "$$@" $(or $(LAST),$(filter-out all,$(TARGET)))

accept: .venv/ready
	@$(WITH_CONFIG); .venv/bin/tuneatlas accept $(call quoted,$(STEP)) $(OUTPUT) \
	--why $(call quoted,$(WHY)) "$$@"

clean-weights: .venv/ready
	@$(WITH_CONFIG); .venv/bin/tuneatlas clean-weights "$$@"

size: .venv/ready
	@.venv/bin/tuneatlas size $(CONFIG) --device $(DEVICE)

simulate: .venv/ready
	@.venv/bin/tuneatlas simulate $(CONFIG) --device $(DEVICE) $(if $(GPUS),--gpus $(GPUS)) \
	$(if $(PREEMPTED_EVERY),--preempted-every $(PREEMPTED_EVERY))

power: .venv/ready
	@.venv/bin/tuneatlas power $(CONFIG) $(if $(PILOT),--pilot $(call quoted,$(PILOT))) \
	$(if $(filter file,$(origin DEVICE)),,--device $(DEVICE))

watch: .venv/ready
	@$(WITH_CONFIG); .venv/bin/tuneatlas watch "$$@" $(or $(LAST),$(filter-out all,$(TARGET)))

list: .venv/ready
	@.venv/bin/tuneatlas list

publish: .venv/ready
	@$(WITH_CONFIG); .venv/bin/tuneatlas publish $(call quoted,$(MODEL)) \
	$(if $(TO),--to $(call quoted,$(TO))) "$$@"

plans: .venv/ready
	.venv/bin/tuneatlas size --write

check: .venv/ready
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/snakefmt --check Snakefile workflow/Snakefile workflow/rules
	.venv/bin/mypy
	.venv/bin/tuneatlas config --check

audit: .venv/ready
	@$(WITH_CONFIG); $(IN_FOLDER); \
	echo "The page to look at the results in: $$results/audit/index.html"; \
	.venv/bin/tuneatlas audit "$$results" "$$@"

bench: .venv-bench/ready
	@PYTHONPATH=src .venv-bench/bin/python -m bench $(RESULTS) $(ROW)

site: .venv-docs/ready
	@PYTHONPATH=src .venv-docs/bin/sphinx-build -W --keep-going -q -b html -c docs . site
	@echo "Done. Open site/index.html in a browser."

.venv-docs/ready: envs/docs.txt
	@echo "Creating the environment of the documentation in .venv-docs ..."
	$(PYTHON) -m venv --clear .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check -r envs/docs.txt
	@touch $@

.venv-bench/ready: envs/bench.txt envs/lock.txt
	@echo "Creating the environment of the peers in .venv-bench (about two minutes) ..."
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r envs/bench.txt
	@touch $@

format: .venv/ready
	.venv/bin/ruff check --fix $(SOURCES)
	.venv/bin/ruff format $(SOURCES)
	.venv/bin/snakefmt Snakefile workflow/Snakefile workflow/rules

config-docs: .venv/ready
	.venv/bin/tuneatlas config --write

.venv/ready: envs/lock.txt
	@venv=$(call quoted,$(VENV)); case "$${venv:-$$PWD}" in \
	*[[:space:]\"\'\`\$$\\\&\|\;\<\>\(\)\*\?\[\]\{\}]*) echo "$${venv:-$$PWD}: jobs cannot be started" \
	"by a path with blanks, quotes, brackets or the like; make the environment in another folder:" \
	"make VENV=/FOLDER $(or $(MAKECMDGOALS),run)" >&2; exit 2;; esac
	@echo "Creating the environment in $(or $(VENV),.venv) (about two minutes) ..."
	@venv=$(call quoted,$(VENV)); if [ -n "$$venv" ]; then \
	if [ -e "$$venv" ] && [ ! -f "$$venv/pyvenv.cfg" ]; then \
	echo "$$venv is there and no environment; name a new folder" >&2; exit 2; fi; \
	rm -rf .venv && ln -s "$$venv" .venv; \
	elif [ -L .venv ]; then \
	echo ".venv is a link to $$(readlink .venv), which others may use; it is out of date: make it" \
	"anew where it is, or remove the link" >&2; exit 2; fi
	"$(PYTHON)" -m venv --clear $(if $(VENV),$(call quoted,$(VENV)),.venv)
	.venv/bin/pip install --quiet --disable-pip-version-check --no-compile -r envs/lock.txt
	@# Compiled here, on all cores, or every job does it again where Python may not write bytecode.
	.venv/bin/python -m compileall -q -j 0 -x '/(tests?|testing)/' .venv/lib
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install -r envs/requirements.in
	( echo "# Exact versions of everything, from one resolver run over requirements.in: make lock"; \
	  .venv-lock/bin/pip freeze | sed 's/+cpu$$//; s/+cu[0-9]*$$//' ) > envs/lock.txt
	rm -rf .venv-lock

clean:
	rm -rf results logs benchmarks .snakemake
