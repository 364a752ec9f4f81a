# make run    the default experiment, from an empty machine to results/report/index.html
#             TARGET=s1, s2 or s3: that study alone, to its tables and figures
# make test   all tests
# make test-slow  the rerun matrix: what each edit of a list rebuilds
# make slurm-test    the workflow on a real Slurm cluster, which it makes on this machine if it can;
#                    QUICK=1 leaves out a training of nine time limits
# make slurm-faults  the same under 30 faults at random instants, then compared byte by byte
# make plan   what is missing or wrong before the first job, then the jobs that would run
# make why    which jobs would run, and because of what; TARGET as above, or a step or file
# make size   what the experiment needs: memory, GPU-hours, storage; refuses what cannot fit
# make check  linters only
# make bench  our speed beside that of peers; make bench ROW=ted for one row
# make audit  verify that every result is what its record says; exit code 1 if one is not
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CONFIG ?= config/config.yaml
TARGET ?= all
PROFILE ?= default
# size: the device to plan for
DEVICE ?= a100-80
# bench: a finished run of the default experiment, and the rows to measure (all)
RESULTS ?= results
ROW ?=
# The step that a study ends with.
LAST_s1 = compare_groups
LAST_s2 = stage_forgetting
LAST_s3 = compare_paraphrases
LAST = $(LAST_$(TARGET))
# The same experiment in the same place, whole.
WHOLE = $(strip make run $(foreach x,CONFIG PROFILE,$(if $(filter file,$(origin $x)),,$x=$($x))))
LOOK_all = Open results/report/index.html in a browser; its numbers lead to results/audit.
LOOK = $(if $(LAST),Tables and figures are in results/$(LAST); $(WHOLE) adds the report.,$(LOOK_$(TARGET)))
SNAKEMAKE = .venv/bin/snakemake --profile profiles/$(PROFILE) --configfile $(CONFIG)
SOURCES = src tests bench workflow/scripts workflow/plan.py

.PHONY: run plan why size plans test test-slow slurm-test slurm-faults check audit bench format \
	config-docs lock clean

run: .venv/ready
	@$(SNAKEMAKE) -- $(TARGET)
	@echo "Done. $(or $(LOOK),What was made is in results.)"

test: check
	@.venv/bin/pytest
	@echo "All tests passed. What a failing test left behind is named in its message."

test-slow: .venv/ready
	@.venv/bin/pytest -m "slow and not slurm"

slurm-test: .venv/ready
	@.venv/bin/pytest -n0 -m "slurm $(if $(QUICK),and not slow)" -rs tests/slurm

slurm-faults: .venv/ready
	@.venv/bin/python tests/slurm/faults.py --faults 30

plan: .venv/ready
	@.venv/bin/tuneatlas config preflight $(CONFIG)
	@$(SNAKEMAKE) --dry-run --quiet rules -- $(TARGET)

why: .venv/ready
	@.venv/bin/tuneatlas why --config $(CONFIG) $(or $(LAST),$(filter-out all,$(TARGET)))

size: .venv/ready
	@.venv/bin/tuneatlas size $(CONFIG) --device $(DEVICE)

plans: .venv/ready
	.venv/bin/tuneatlas size --write

check: .venv/ready
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/snakefmt --check Snakefile workflow/rules
	.venv/bin/mypy
	.venv/bin/tuneatlas config --check

audit: .venv/ready
	@echo "The page to look at the results in: results/audit/index.html"
	@.venv/bin/tuneatlas audit results --config $(CONFIG)

bench: .venv-bench/ready
	@PYTHONPATH=src .venv-bench/bin/python -m bench $(RESULTS) $(ROW)

.venv-bench/ready: envs/bench.txt envs/lock.txt
	@echo "Creating the environment of the peers in .venv-bench (about two minutes) ..."
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r envs/bench.txt
	@touch $@

format: .venv/ready
	.venv/bin/ruff check --fix $(SOURCES)
	.venv/bin/ruff format $(SOURCES)
	.venv/bin/snakefmt Snakefile workflow/rules

config-docs: .venv/ready
	.venv/bin/tuneatlas config --write

.venv/ready: envs/lock.txt
	@echo "Creating the environment in .venv (about two minutes) ..."
	$(PYTHON) -m venv --clear .venv
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
