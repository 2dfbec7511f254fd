"""Benchmarks against peers, run by `python -m tests.bench`: ratios on the same inputs in the same run, no verdicts."""
