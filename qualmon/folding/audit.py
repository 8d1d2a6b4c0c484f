"""The audit of declared bounds: unproven, proven, refuted; docs/statistics.md, "Proof of a bound".

A bound is proven once the pooled answers of a suite and model put its rate below the declared
one, over 30 rounds at least, while no probe stood out and no platform's bad answers came
together in one round. It is then trusted for the targets that answered their part and do not
stand out themselves: what differs from its first round on is no news, and never a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from qualmon.folding.evidence import Cell
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import Pool
from qualmon.stats.bounds import refuted, stands_out, upper_limit

#: Rounds without a burst that a proof takes: answers of one round may share their state, so
#: that many answers of few rounds prove little (docs/statistics.md, "Proof of a bound").
PROOF_ROUNDS = 30
#: Error of the sequence that refutes a bound: a true bound is refuted once in a hundred lives.
REFUTE_ALPHA = 0.01


def updated(
    pools: Mapping[str, Pool],
    cells: Mapping[str, Cell],
    rules: FoldRules,
    frozen: Mapping[str, set[str]],
) -> dict[str, Pool]:
    """The pools after a round; `frozen` names targets per channel whose answers are suspect.

    Suspect answers teach nothing: a fault must not become the new normal while it is judged.
    """
    result = dict(pools)
    for channel in rules.events:
        fresh = [
            cell
            for cell in cells.values()
            if channel in cell.counts and cell.target not in frozen[channel]
        ]
        if fresh:
            pool = _counted(result.get(channel, Pool()), fresh, channel, rules.bounds[channel])
            result[channel] = judged(pool, rules.bounds[channel])
    return result


def _counted(pool: Pool, fresh: Iterable[Cell], channel: str, bound: float) -> Pool:
    probes, targets = dict(pool.probes), dict(pool.targets)
    together: dict[str, tuple[int, int]] = {}
    odd = _odd(pool, bound)
    n = hits = 0
    for cell in fresh:
        for probe, (more, bad) in cell.counts[channel].items():
            n, hits = n + more, hits + bad
            _add(targets, cell.target, more, bad)
            if cell.target not in odd:
                _add(probes, probe, more, bad)
                _add(together, cell.platform, more, bad)
    n, hits, rounds = pool.n + n, pool.hits + hits, pool.rounds + 1
    burst = rounds if _burst(together.values(), n, bound) else pool.burst
    return replace(pool, n=n, hits=hits, rounds=rounds, burst=burst, probes=probes, targets=targets)


def _add(counts: dict[str, tuple[int, int]], key: str, n: int, hits: int) -> None:
    before = counts.get(key, (0, 0))
    counts[key] = (before[0] + n, before[1] + hits)


def _burst(together: Iterable[tuple[int, int]], n: int, bound: float) -> bool:
    """True when one platform's answers of a round go bad together more than chance allows."""
    return any(stands_out(m, hits, bound, alternatives=n // m) for m, hits in together if hits > 1)


def judged(pool: Pool, bound: float) -> Pool:
    """The pool with its status and trusted targets brought up to date."""
    odd = _odd(pool, bound)
    # A few targets that differ are those targets' news, not the bound's.
    few = 2 * len(odd) < len(pool.targets)
    counts = [c for target, c in pool.targets.items() if not few or target not in odd]
    n, hits = sum(n for n, _ in counts), sum(hits for _, hits in counts)
    if refuted(n, hits, bound, REFUTE_ALPHA):
        return replace(pool, status="refuted", trusted=())
    if pool.status == "unproven" and _is_proven(pool, n, hits, bound):
        pool = replace(pool, status="proven")
    return replace(pool, trusted=_trusted(pool, odd, bound)) if pool.status == "proven" else pool


def _odd(pool: Pool, bound: float) -> set[str]:
    """Targets whose answers are worse than the bound allows."""
    return {
        target
        for target, (n, hits) in pool.targets.items()
        if stands_out(n, hits, bound, len(pool.targets))
    }


def _is_proven(pool: Pool, n: int, hits: int, bound: float) -> bool:
    if upper_limit(n, hits) > bound or pool.rounds - pool.burst < PROOF_ROUNDS:
        return False
    return not any(
        stands_out(asked, bad, bound, len(pool.probes)) for asked, bad in pool.probes.values()
    )


def _trusted(pool: Pool, odd: set[str], bound: float) -> tuple[str, ...]:
    """Those trusted before, and those with a third of an equal part of the proof's answers."""
    needed = 1.0 / bound / len(pool.targets)
    return tuple(
        target
        for target, (n, _) in sorted(pool.targets.items())
        if target in pool.trusted or (n >= needed and target not in odd)
    )
