# Every target is one step that a person or CI may want; recipes only call programs.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
ENV ?=
FUNCTIONS ?=
PYTEST_ARGS ?=

VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest -n 2 --dist=loadgroup

.PHONY: help
help: ## Show this help
	@awk -f scripts/help.awk $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make every Python environment: dev, ministack, checkov
	@$(PYTHON) -m scripts.setup all

.PHONY: dev
dev:
	@$(PYTHON) -m scripts.setup dev
