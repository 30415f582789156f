# Two commands matter: `make serve` starts the gateway, `make test` proves it. Both set up everything they need.
.PHONY: serve test lint types check clean

serve: ; @sh deploy/environment.sh serve && exec .venv/bin/paretogate serve $(ARGS)
test: ; @sh deploy/environment.sh test && .venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)
lint: ; @sh deploy/environment.sh test && .venv/bin/ruff check . && .venv/bin/ruff format --check .
types: ; @sh deploy/environment.sh test && .venv/bin/mypy
check: lint types test
clean: ; rm -rf .venv dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
