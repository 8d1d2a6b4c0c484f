"""The audit of declared bounds: unproven, proven, refuted (statistics A.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from qualmon.folding.evidence import is_hit
from qualmon.folding.state import Pool
from qualmon.stats.bounds import confidence_sequence, stands_out, upper_limit
from qualmon.types import ClosedRound, ScoredMember

#: Error of the sequence that refutes a bound: a true bound is refuted once in a hundred lives.
REFUTE_ALPHA = 0.01


def updated(
    pools: Mapping[str, Pool],
    rnd: ClosedRound,
    bounds: Mapping[str, float],
    frozen: Mapping[str, set[str]],
) -> dict[str, Pool]:
    """The pools after a round; `frozen` names targets per channel whose answers are suspect.

    Suspect answers teach nothing: a fault must not become the new normal while it is judged.
    """
    result = dict(pools)
    for channel, bound in bounds.items():
        fresh = [
            member
            for member in rnd.members
            if channel in member.scores and member.member.target not in frozen[channel]
        ]
        if fresh:
            pool = _counted(result.get(channel, Pool()), fresh, channel)
            result[channel] = replace(pool, status=_status(pool, bound))
    return result


def _counted(pool: Pool, members: Sequence[ScoredMember], channel: str) -> Pool:
    probes = dict(pool.probes)
    n = hits = 0
    for member in members:
        score = member.scores[channel]
        if score.value is None:
            continue
        bad = is_hit(score)
        seen, missed = probes.get(member.member.probe, (0, 0))
        probes[member.member.probe] = (seen + 1, missed + bad)
        n, hits = n + 1, hits + bad
    return replace(pool, n=pool.n + n, hits=pool.hits + hits, probes=probes)


def _status(pool: Pool, bound: float) -> str:
    if pool.hits and confidence_sequence(pool.n, pool.hits, REFUTE_ALPHA)[0] > bound:
        return "refuted"
    if pool.status in ("proven", "refuted"):
        return pool.status
    if upper_limit(pool.n, pool.hits) > bound:
        return "unproven"
    odd = any(stands_out(n, hits, bound, len(pool.probes)) for n, hits in pool.probes.values())
    return "unproven" if odd else "proven"
