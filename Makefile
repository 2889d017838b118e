# Every target is one step that a person or CI may want; recipes only call programs.

SHELL := /bin/bash
.DEFAULT_GOAL := help
# One after the other, except where a target says that it is meant.
ifndef SIDE_BY_SIDE
.NOTPARALLEL:
endif

# The Python of the environments is the newest of 3.13, 3.12 and 3.11 that is found on PATH or in
# pyenv, unless one is named: make test PYTHON=python3.12
PYTHON ?=
TERRAFORM ?= terraform
export TERRAFORM
# Python starts hundreds of times here: without its bytecode each start would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

# What a target works on.
ENV ?=
TENANT ?=
APP ?=
MONTH ?=
STATEMENT ?=
FUNCTIONS ?=
ARGS ?=

SETUP := $(or $(PYTHON),python3) -m scripts.build.environments $(if $(PYTHON),--this-python)
# What runs the gateway here, deploys it and reports; and what tests, lints and measures it.
RUN_PYTHON := .tools/run/bin/python
VENV_PYTHON := .venv/bin/python
# Tests that share something expensive (a stack, a module) name it as a group; it stays on one worker.
# Three workers keep two cores busy: one of them mostly waits, for an apply or for a lease to end.
# The order is that of tests/conftest.py.
PYTEST := $(VENV_PYTHON) -m pytest -n 3 --dist=loadgroup --no-loadscope-reorder

environments = $(notdir $(patsubst %/.,%,$(wildcard envs/*/.)))
wrong_env = ENV is '$(ENV)'; call make $(firstword $(MAKECMDGOALS)) ENV=<one of: $(environments)>

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- Environments -----------------------------------------------------------------------------

.PHONY: setup
setup: ## Make all environments: run, ministack, dev, checkov, cdktf, lambda, node
	@$(SETUP) all

.PHONY: setup-run
setup-run:
	@$(SETUP) run

.PHONY: setup-dev
setup-dev:
	@$(SETUP) dev

.PHONY: setup-local
setup-local:
	@$(SETUP) run ministack

.PHONY: setup-stack-tests
setup-stack-tests:
	@$(SETUP) dev ministack

.PHONY: lock
lock: setup-dev ## Make the hashed locks anew; ARGS=--upgrade takes new versions
	@$(VENV_PYTHON) -m scripts.build.locks $(ARGS)

# --- Run it here ------------------------------------------------------------------------------

.PHONY: demo
demo: setup-local ## Show the whole gateway at work on this machine, then stop it
	@$(RUN_PYTHON) -m scripts.local.demo $(ARGS)

.PHONY: local
local: setup-local ## Run the gateway on this machine until Ctrl-C
	@$(RUN_PYTHON) -m scripts.local $(ARGS)

.PHONY: report
report: setup-run ## Report from a lake folder; ARGS="chargeback --lake <folder>", or ARGS=--help
	@$(RUN_PYTHON) -m scripts.reports.report $(ARGS)

.PHONY: report-page
report-page: setup-run ## Write a period's report as one HTML file; ARGS="--lake <folder> --month 2026-11"
	@$(RUN_PYTHON) -m scripts.reports.page $(ARGS)

.PHONY: reconcile
reconcile: check-env setup-run ## Compare ENV's ledger with AWS's bill of MONTH (YYYY-MM); ARGS=--help
	@$(RUN_PYTHON) -m scripts.reconcile --env $(ENV) $(if $(MONTH),--month $(MONTH)) $(ARGS)

.PHONY: close
close: setup-run ## Close a month for good: ENV=prod MONTH=2026-10, ARGS="--lake <folder>" for a copy
	@$(RUN_PYTHON) -m scripts.statements close --month '$(MONTH)' $(if $(ENV),--env '$(ENV)') $(ARGS)

.PHONY: verify
verify: setup-run ## Hold a statement against the ledger: ENV=prod STATEMENT=2026-10/tenant/acme
	@$(RUN_PYTHON) -m scripts.statements verify '$(STATEMENT)' $(if $(ENV),--env '$(ENV)') $(ARGS)

.PHONY: focus
focus: setup-run ## Write a month as FOCUS 1.2: ENV=prod MONTH=2026-10, ARGS="--lake <folder>" for a copy
	@$(RUN_PYTHON) -m scripts.focus write --month '$(MONTH)' $(if $(ENV),--env '$(ENV)') $(ARGS)

.PHONY: setup-focus
setup-focus:
	@$(SETUP) run focus

.PHONY: focus-check
focus-check: setup-focus ## Hold a month's FOCUS files against its rules: MONTH=2026-10 ARGS="--lake <folder>"
	@$(RUN_PYTHON) -m scripts.focus check --month '$(MONTH)' $(ARGS)

.PHONY: what-if
what-if: setup-run ## Replay a past month under other budgets, limits or prices; ARGS=--help
	@$(RUN_PYTHON) -m scripts.whatif $(ARGS)

.PHONY: bench
bench: setup-stack-tests ## Measure requests, dialects, cold starts and many tenants; ARGS=--quick
	@$(VENV_PYTHON) -m scripts.bench.ledger $(ARGS)
	@$(VENV_PYTHON) -m scripts.bench.api $(ARGS)
	@$(VENV_PYTHON) -m scripts.bench.imports $(ARGS)
	@$(VENV_PYTHON) -m scripts.bench.litellm $(ARGS)
	@$(VENV_PYTHON) -m scripts.bench.tenants $(ARGS)
	@$(VENV_PYTHON) -m scripts.bench.queries $(ARGS)

.PHONY: bench-litellm
bench-litellm: setup-stack-tests ## Install LiteLLM's proxy (700 MB) and measure it beside the gateway
	@$(VENV_PYTHON) -m scripts.bench.litellm --install $(ARGS)

# --- Checks -----------------------------------------------------------------------------------

.PHONY: test
test: setup ## Run every check and test
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target SIDE_BY_SIDE=1 \
		typecheck package lint validate-tenants docs-check
	@$(PYTEST) $(ARGS)

.PHONY: test-unit
test-unit: setup-dev ## Run the tests that need neither AWS nor an emulator nor Terraform
	@$(PYTEST) tests/unit $(ARGS)

.PHONY: test-tf
test-tf: setup-dev ## Check format and validity of all Terraform code, run its own test cases
	@$(PYTEST) tests/contract/test_terraform_static.py $(ARGS)

.PHONY: soak
soak: setup-stack-tests setup-focus ## Run the tests that take minutes on purpose
	@$(PYTEST) -m soak $(ARGS)

.PHONY: hardship
hardship: setup-stack-tests ## Run tests on a slow or busy machine or at a year's end; ARGS="busy --times 3"
	@$(VENV_PYTHON) -m scripts.bench.hardship $(ARGS)

.PHONY: mutation
mutation: setup-dev ## Count the small changes of the domain that no test notices; ARGS="prices money"
	@$(VENV_PYTHON) -m scripts.bench.mutation $(ARGS)

.PHONY: lint
lint: setup-dev ## Lint the Python code and check its format
	@$(VENV_PYTHON) -m ruff check
	@$(VENV_PYTHON) -m ruff format --check

.PHONY: fmt
fmt: setup-dev ## Format Python and Terraform code, and apply the linter's safe corrections
	@$(VENV_PYTHON) -m ruff check --fix-only
	@$(VENV_PYTHON) -m ruff format
	@$(VENV_PYTHON) -m scripts.deploy.terraform . fmt -recursive

.PHONY: typecheck
typecheck: setup-dev ## Check the types of functions and scripts
	@$(VENV_PYTHON) -m mypy

.PHONY: new-tenant
new-tenant: check-env setup-run ## Write a commented tenant file; ENV=dev TENANT=acme
	@$(RUN_PYTHON) -m scripts.tenants.new --env '$(ENV)' --tenant '$(TENANT)'

.PHONY: validate-tenants
validate-tenants: setup-run ## Check every environment's tenant files
	@$(RUN_PYTHON) -m scripts.tenants.validate

.PHONY: docs
docs: setup-dev ## Write the generated parts of the documents anew, and the functions' table of routes
	@$(VENV_PYTHON) -m scripts.build.routes
	@$(VENV_PYTHON) -m scripts.build.docs

.PHONY: describe
describe: setup-dev ## Write anew what the local stack is started from, out of the Terraform code
	@$(VENV_PYTHON) -m scripts.local.describe

.PHONY: docs-check
docs-check: setup-dev
	@$(VENV_PYTHON) -m scripts.build.docs --check

# --- Build and deploy -------------------------------------------------------------------------

.PHONY: package
package: setup-run ## Build dist/<function>.zip and the manifest; FUNCTIONS="invoke sweep" picks some
	@$(RUN_PYTHON) -m scripts.build.package $(FUNCTIONS)

.PHONY: check-env
check-env:
	@$(if $(filter $(ENV),$(environments)),:,$(error $(wrong_env)))

.PHONY: check-aws
check-aws: check-env setup-run
	@$(RUN_PYTHON) -m scripts.deploy.preflight --env $(ENV)

.PHONY: bootstrap
bootstrap: check-env setup-run ## Make the bucket for the state of ENV; needed once
	@$(RUN_PYTHON) -m scripts.deploy.bootstrap --env $(ENV) $(ARGS)

.PHONY: model-access
model-access: check-env setup-run ## Tell which of the tenants' models the account of ENV can call
	@$(RUN_PYTHON) -m scripts.deploy.model_access --env $(ENV)

.PHONY: plan
plan: check-aws package ## Plan the changes of ENV and save the plan
	@$(RUN_PYTHON) -m scripts.deploy.commands plan --env $(ENV) $(ARGS)

.PHONY: plan-summary
plan-summary: check-env setup-run ## Tell by tenant what the saved plan of ENV changes, as Markdown
	@$(RUN_PYTHON) -m scripts.deploy.summary --env $(ENV) $(ARGS)

.PHONY: apply
apply: check-env setup-run ## Apply the saved plan of ENV
	@$(RUN_PYTHON) -m scripts.deploy.commands apply --env $(ENV) $(ARGS)

.PHONY: drift
drift: check-env setup-run ## Compare AWS with the state of ENV; fails when they differ
	@$(RUN_PYTHON) -m scripts.deploy.commands drift --env $(ENV) $(ARGS)

.PHONY: destroy
destroy: check-env setup-run ## Destroy ENV, except for billing data; CONFIRM=<ENV>, FORCE=1 takes all
	@$(RUN_PYTHON) -m scripts.deploy.commands destroy --env $(ENV) $(ARGS)

.PHONY: url
url: check-env setup-run ## Print the URL of ENV's API
	@$(RUN_PYTHON) -m scripts.deploy.outputs --env $(ENV) api_url

.PHONY: profiles
profiles: check-env setup-run ## Print API, URL and inference-profile ids of ENV's tenants, or of TENANT
	@$(RUN_PYTHON) -m scripts.deploy.profiles --env $(ENV) --tenant '$(TENANT)'

.PHONY: aws-check
aws-check: check-env setup-run ## Try a deployed ENV with small calls (a few cents) and write a report; ARGS=--help
	@$(RUN_PYTHON) -m scripts.awscheck --env $(ENV) --tenant '$(TENANT)' --app '$(APP)' $(ARGS)

.PHONY: key
key: check-env setup-run ## Say where an app's key lies, ARGS=--show prints it; ENV=dev TENANT=acme APP=websearch
	@$(RUN_PYTHON) -m scripts.tenants.handover --env $(ENV) --tenant '$(TENANT)' --app '$(APP)' $(ARGS)

.PHONY: keys
keys: check-env setup-run ## Keys outside Terraform; ENV=dev ARGS="issue --tenant acme --app web --key primary"
	@$(RUN_PYTHON) -m scripts.tenants.keys $(ARGS) --env $(ENV)

.PHONY: setup-sandbox
setup-sandbox:
	@$(SETUP) cdktf

.PHONY: sandbox
sandbox: setup-sandbox package ## Compose a stack to throw away; ARGS="--name load --tenants 200"
	@.tools/cdktf/bin/python envs/sandbox/app.py $(ARGS)

.PHONY: clean
clean: ## Remove build output and caches, but not the environments
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
