# make run    the default experiment, from an empty machine to results/report/index.html
# make test   all tests
# make test-slow  the rerun matrix: what each of 71 edits rebuilds
# make check  linters only
# make audit  verify that every result is what its record says; exit code 1 if one is not
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CONFIG ?= config/config.yaml
SNAKEMAKE = .venv/bin/snakemake --profile profiles/default --configfile $(CONFIG)
SOURCES = src tests bench workflow/scripts workflow/plan.py

.PHONY: run test test-slow check audit format config-docs lock clean

run: .venv/ready
	@$(SNAKEMAKE)
	@echo "Done. Open results/report/index.html in a browser; its numbers lead to results/audit."

test: check
	@.venv/bin/pytest
	@echo "All tests passed. What a failing test left behind is named in its message."

test-slow: .venv/ready
	@.venv/bin/pytest -m slow

check: .venv/ready
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/snakefmt --check Snakefile workflow/rules
	.venv/bin/mypy
	.venv/bin/tuneatlas config --check

audit: .venv/ready
	@echo "The page to look at the results in: results/audit/index.html"
	@.venv/bin/tuneatlas audit results --config $(CONFIG)

format: .venv/ready
	.venv/bin/ruff check --fix $(SOURCES)
	.venv/bin/ruff format $(SOURCES)
	.venv/bin/snakefmt Snakefile workflow/rules

config-docs: .venv/ready
	.venv/bin/tuneatlas config --write

.venv/ready: envs/lock.txt
	@echo "Creating the environment in .venv (about two minutes) ..."
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r envs/lock.txt
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
