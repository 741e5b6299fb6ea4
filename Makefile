# Thin on purpose: tests/bootstrap makes the machine ready, noxfile.py says what runs, tests/rings.py runs it.
NOX := .nox/nox/bin/nox
RINGS := .nox/nox/bin/python tests/rings.py

.PHONY: help test faults-table demo demo-down bench clean

help: ## what there is
	@echo 'As root, on Debian or Ubuntu:'
	@sed -n 's/^\([a-z%-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

test: ## everything CI runs; closes with a table
	@tests/bootstrap test
	@$(RINGS)

test-%: ## one ring of it: unit lint kernel integration molecule galaxy sanity vm ...
	@tests/bootstrap test
	@$(RINGS) $*

faults-table: ## writes docs/faults.md from what the rings left in tests/output
	@$(dir $(NOX))python tests/faults_table.py

bench: ## how long the modules' work takes, as a ratio to iproute2's
	@tests/bootstrap bench
	@$(NOX) --session bench

demo: ## three lab hosts on this machine, with containers that talk; stays up
	@tests/bootstrap
	@$(NOX) --session demo

demo-down: ## removes them all
	@tests/bootstrap
	@$(NOX) --session demo -- down

clean: ## removes what tests left in the checkout, and the molecule image
	@! command -v podman >/dev/null || podman images --quiet --filter reference=localhost/docknet-node | xargs --no-run-if-empty podman rmi --force
	rm -rf .nox .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/output
