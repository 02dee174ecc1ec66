# One command each: make run, make demo, make test, make check, make bench, make lock. Only `make run` is needed to use Pulseboard.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := run
.PHONY: run demo test check bench lock system

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
UV ?= uv
VENV := .venv
RUN := $(VENV)/bin/python
CODE := app models probes notifiers pages migrations tests benchmarks
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP_INSTALL := $(RUN) -m pip install --disable-pip-version-check --no-input
COMPILE := $(UV) pip compile pyproject.toml --quiet --generate-hashes --no-header --no-emit-index-url --no-annotate \
	--universal --python-version 3.11

run: $(VENV)/run.stamp
	@exec $(RUN) -m app.cli serve

demo: $(VENV)/run.stamp
	@exec $(RUN) -m app.cli demo

# Every test, in two processes; their number of databases and browsers fits a small machine.
test: $(VENV)/dev.stamp system
	$(RUN) -m pytest --numprocesses 2 --dist worksteal

check: $(VENV)/dev.stamp
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy $(CODE)
	$(VENV)/bin/lint-imports
	$(RUN) -m pytest --quiet tests/test_house.py tests/db/test_migrate.py

# What docs/performance.md keeps, some ten minutes of it: run it on a quiet machine.
bench: $(VENV)/dev.stamp system
	@for name in probe_http pipeline board memory first_paint; do $(RUN) -m benchmarks.$$name; done

lock:
	$(COMPILE) --extra build --output-file requirements.lock
	$(COMPILE) --extra build --extra dev --constraint requirements.lock --output-file requirements-dev.lock

$(VENV)/run.stamp: requirements.lock pyproject.toml
	@$(call make_venv)
	@echo "Installing Pulseboard into $(VENV): a minute or two, once."
	@$(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@$(PIP_INSTALL) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "Installing the tools for tests into $(VENV)."
	@$(PIP_INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@

# What the tests run against besides Python: a browser, Redis, nginx and an MQTT broker.
system:
	@missing=""; \
	have() { PATH="$$PATH:/usr/sbin:/sbin" command -v "$$1" >/dev/null; }; \
	have chromium || have chromium-browser || have google-chrome || missing="chromium"; \
	have redis-server || missing="$$missing redis"; \
	have nginx || missing="$$missing nginx"; \
	have mosquitto || missing="$$missing mosquitto"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	echo "Installing for the tests:$$missing"; \
	if command -v apt-get >/dev/null; then \
		$(AS_ROOT) apt-get update -qq; \
		$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
			apt-get install -y -qq --no-install-recommends $${missing/redis/redis-server}; \
	elif command -v brew >/dev/null; then brew install $$missing; \
	else echo "Install these by hand, then run make test again:$$missing"; exit 1; fi

define make_venv
	if [ -z "$(PYTHON)" ]; then echo "Pulseboard needs Python 3.11 or newer: install it, then run make again."; exit 1; fi; \
	if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing python3-venv."; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; \
		else echo "Python's venv module is missing. Run: sudo apt-get install python3-venv"; exit 1; fi; fi; \
	$(RUN) -m pip --version >/dev/null 2>&1 || { echo "Making $(VENV) with $(PYTHON)."; $(PYTHON) -m venv --clear $(VENV); }
endef
