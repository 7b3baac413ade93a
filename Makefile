# Everything runs inside .venv, which `make setup` makes and keeps up to date.
.PHONY: setup quickstart test test-slurm check bench bench-rewards faults claims
.SILENT:

setup:
	bash launch/setup.sh

quickstart: setup
	.venv/bin/launch run recipe=r1_zero model=nano_v3

# Unit tests on all cores, a module at a time; then those that start engines, one by one.
test: setup
	.venv/bin/python -m pytest -n auto --dist loadscope -m "not slow and not integration"
	.venv/bin/python -m pytest -rs -m "integration and not slow and not slurm"

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

# Two hours: the whole pipeline and variations of its stages, for three seeds.
claims: setup
	.venv/bin/python -m launch.claims

bench-rewards: setup
	.venv/bin/python -m tests.bench.bench_math
	.venv/bin/python -m tests.bench.bench_sandbox
