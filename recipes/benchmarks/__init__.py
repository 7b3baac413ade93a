"""Benchmarks by name: where their rows are, how rows become problems, how answers are scored."""
