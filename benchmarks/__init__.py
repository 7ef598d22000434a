"""Benchmarks: what a turn costs, beside a baseline measured in the same run."""
