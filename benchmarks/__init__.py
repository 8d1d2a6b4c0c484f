"""Benchmarks: ratios against peers and bounds measured in the same run."""
