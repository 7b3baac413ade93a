# Everything runs inside .venv, which `make setup` makes and keeps up to date.
.PHONY: setup quickstart test test-slurm check bench bench-rewards faults
.SILENT:

setup:
	bash launch/setup.sh

quickstart: setup
	.venv/bin/launch run recipe=r1_zero model=nano_v3

test: setup
	.venv/bin/python -m pytest -m "not slow and not slurm"

test-slurm: setup
	.venv/bin/python -m pytest tests/integration/test_slurm.py -rs

check: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/basedpyright
	.venv/bin/lint-imports

bench: setup
	.venv/bin/launch bench

faults: setup
	.venv/bin/python -m pytest tests/faults -m "slow or not slow"

bench-rewards: setup
	.venv/bin/python -m tests.bench.bench_math
	.venv/bin/python -m tests.bench.bench_sandbox
