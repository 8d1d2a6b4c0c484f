"""Sequential change detection for rare, partial faults, under a stated false-alarm budget.

A library of its own: numpy and scipy.special, JAX only in `scan`. Start with `detector`, then
`bets`; docs/statistics/library.md lists the modules, docs/statistics.md says what holds and when.
"""
