# VELOX: `make help` prints everything one can do. Every target works from a folder with a space in its name.

PYTHON ?= python3
PORT ?=
ROW ?=
PY := .venv/bin/python
# A run writes nothing outside this folder: neither pip's cache nor temporary files.
export PIP_CACHE_DIR := var/cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1
# Compiled once: the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run serve test servers s3 spark check bench chaos ha-drill dr-drill screenshots record-influx env lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: .venv/run ## the demo: a finished trading day to look at, in var/demo [PORT=n]
	@exec $(PY) -m velox_site.serve --demo $(if $(PORT),--port $(PORT))

serve: .venv/run ## the real desk on VELOX_DATA_DIR (var/), empty at first [PORT=n]
	@exec $(PY) -m velox_site.serve $(if $(PORT),--port $(PORT))

test: ## every check and every test, on SQLite and PostgreSQL, with real servers and a real browser
	@$(MAKE) --no-print-directory -j 2 .venv/dev servers
	@$(PY) -m tests.run

servers: ## install the servers and the browser that the tests start, where that is allowed (Debian as root)
	@$(PYTHON) -m tests.servers

check: .venv/dev ## format, lint, types, arrows, Django's own checks
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy velox_site lab trading timeseries ops
	$(PY) -m mypy clients/python/velox_client
	.venv/bin/lint-imports
	VELOX_DATA_DIR=var/check VELOX_SITE_URL=https://velox.example $(PY) manage.py check --deploy --fail-level WARNING
	VELOX_DATA_DIR=var/check $(PY) manage.py makemigrations --check --dry-run

s3: ## build the S3 server of the archive's tests into the user's cache (Go, some minutes)
	@test -x $(S3) || GOBIN=$(dir $(S3)) go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

spark: .venv/dev ## Spark beside the archive, in var/engines/spark, and its candles and excursions beside the desk's (Java 17, Maven)
	@$(PY) -m tests.ops.spark_engine

bench: .venv/dev ## measure against the references; writes var/bench.json [ROW=name]
	@$(PY) -m bench $(ROW)

chaos: .venv/dev ## the long kill tests (minutes)
	@$(PY) -m tests.chaos

ha-drill: .venv/dev ## lose PostgreSQL's primary and a web under load; figures go to docs/operations.md
	@$(PY) -m tests.ops.ha_drill

dr-drill: .venv/dev ## lose the data folder and bring it back; figures go to docs/operations.md
	@$(PY) -m tests.ops.dr_drill

screenshots: .venv/dev ## open every page of the demo in Chromium, pictures in build/screenshots
	@$(PY) -m tests.screenshots

record-influx: .venv/dev ## record a real InfluxDB's answers for the tests (VELOX_TEST_INFLUX_URL, _ORG, _TOKEN)
	@$(PY) -m tests.timeseries.influx_recording

env: ## write .env with random secrets (0600); never overwrites one
	@$(PYTHON) -m velox_site.dotenv

lock: .venv/dev ## resolve pyproject.toml anew into the hashed requirements files
	@$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade -q pyproject.toml -o requirements.txt
	@$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade -q --extra dev --extra lab --extra patterns -c requirements.txt pyproject.toml -o requirements-dev.txt
	@for extra in archive kafka lab lab-ray lab-dask patterns spark; do $(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade -q --extra $$extra -c requirements-dev.txt pyproject.toml -o requirements-$$extra.txt; done

clean: ## remove what can be made again; never the data in var/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis var/cache var/tmp var/check
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +

S3 = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/velox/bin/versitygw

# The lock and nothing else: pip looks for no requirement that a newer release could answer, and then checks the whole.
# Compiled by every core, VELOX with it, and without the packages' own tests; a file that is no Python is left as it is.
install = TMPDIR="$$PWD/var/tmp" $(PY) -m pip install --quiet --no-compile --no-deps --require-hashes -r $(1) && $(PY) -m pip check && { $(PY) -m compileall -qq -j 0 -x /tests/ .venv/lib velox_site lab trading timeseries || true; }

.venv/made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "VELOX needs Python 3.11 or newer: make run PYTHON=python3.11")'
	mkdir -p var/tmp
	$(PYTHON) -m venv .venv
	$(PY) -c 'import os, pathlib, site; pathlib.Path(site.getsitepackages()[0], "velox.pth").write_text(os.getcwd())'
	touch .venv/made

.venv/run: .venv/made requirements.txt
	$(call install,requirements.txt)
	touch .venv/run

.venv/dev: .venv/made requirements-dev.txt
	$(call install,requirements-dev.txt)
	touch .venv/dev
