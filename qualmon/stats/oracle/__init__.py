"""Exact oracles: what a detector that knows the fault would need."""
