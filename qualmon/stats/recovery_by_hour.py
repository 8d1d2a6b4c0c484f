"""Evidence that a fault ended, told apart from a fault that sleeps: by hour of the day, load
rung and identities.

A fault that follows load is away every night. So the unit is a *block-day*, all draws of one
block of hours of one day, and it speaks when it is complete: what counts is its mean share.
Where in the day and in which context the fault lives is not known either; a *place* is an arc
of blocks in one context or in all. The null "the fault goes on at place A with half its share
there, or more" is tested for every place that the faulty draws leave plausible, and the
incident ends when all of them are rejected.

Per place, E = sum over starts k of spend_k * product over block-days after k in A of L, with L
the likelihood ratio of the healthy bound against half the share as known at k: both fixed
before the draws. The spends sum to 1 at most, so P(E ever reaches 1/alpha while the fault goes
on) <= alpha for the whole incident (Ville), restarts included. A start counts once a whole day
has passed since, every block of the place seen: absent is never healthy.

Catches: the end of a fault, about 2 ln(1/alpha)/share clean draws and a day later. Blind to: a
fault that sleeps for `days` whole days (a weekend), and to a context that is never asked again, in
which the incident stays open.

Source: Ville 1939; restarts as in Shin, Ramdas, Rinaldo, "E-detectors" (NEJSDS 2023), with a
drift that sums to 1. Measured by `python -m benchmarks detection --only lifecycle`.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats
from qualmon.stats.fault_places import Flags, places, plausible, still

_DAY: Final = 86400.0
#: A start with evidence below this (nats) at every place adds nothing any more.
_DEAD: Final = -40.0


class Plan(NamedTuple):
    """bound: healthy rate of hits. blocks: of the day, equal, a divisor of 24. contexts: load
    rungs and groups of identities that are told apart, at least 1. alpha: per incident. days:
    clean for so many whole days at least; 3 where load sleeps on weekends."""

    bound: float
    blocks: int = 6
    contexts: int = 1
    alpha: float = 1e-3
    days: int = 1


class Recovering(NamedTuple):
    """opened, now: number of the block of the alarm, and of the one being filled (blocks since
    the epoch). filling: draws and hits of the latter, (contexts, 2). seen: of all blocks
    before it since the onset, (contexts, blocks, 2). Per start k: since, its block; spend;
    still, rate under the null by place; logs, log evidence by place; covered, which cells were
    drawn from since, (starts, contexts, blocks)."""

    opened: int
    now: int
    filling: Floats
    seen: Floats
    since: NDArray[np.int64]
    spend: Floats
    still: Floats
    logs: Floats
    covered: Flags


def start(plan: Plan, at: float, seen: ArrayLike) -> Recovering:
    """No evidence of recovery at the alarm, slot time `at` in seconds.

    seen: draws and hits since the likely onset, shape (contexts, blocks, 2). A draw is what
    shares one state: an answer, or an identity's answers of one round. Raises StatisticsError
    for an impossible plan, impossible counts or no hit at all.
    """
    _check_plan(plan)
    counts = np.asarray(seen, dtype=np.float64)
    if counts.shape != (plan.contexts, plan.blocks, 2):
        raise StatisticsError(f"counts of shape {counts.shape}", remedy="See the plan's cells")
    _check_counts(counts)
    if not counts[..., 1].any():
        raise StatisticsError("an incident without a bad draw", remedy="Count from its onset")
    cells, n = (plan.contexts, plan.blocks), len(places(plan.blocks, plan.contexts))
    return Recovering(
        opened=_number(plan, at),
        now=_number(plan, at),
        filling=np.zeros((plan.contexts, 2)),
        seen=counts,
        since=np.zeros(0, dtype=np.int64),
        spend=np.zeros(0),
        still=np.zeros((0, n)),
        logs=np.zeros((0, n)),
        covered=np.zeros((0, *cells), dtype=np.bool_),
    )


def step(plan: Plan, state: Recovering, at: float, draws: ArrayLike, hits: ArrayLike) -> Recovering:
    """Folds a round at slot time `at`, seconds: draws and hits by context, shape (contexts,).

    Raises StatisticsError for impossible counts and for time that goes back.
    """
    counts = np.stack([np.asarray(draws, float), np.asarray(hits, float)], axis=-1)
    counts = counts.reshape(plan.contexts, 2)
    _check_counts(counts)
    number = _number(plan, at)
    if number < state.now:
        raise StatisticsError(f"slot {at!r} before block {state.now}", remedy="Fold in order")
    if number > state.now:
        state = _closed(plan, state)._replace(now=number, filling=np.zeros_like(counts))
    return state._replace(filling=state.filling + counts)


def evidence(plan: Plan, state: Recovering) -> float:
    """Evidence that the fault ended wherever it may live; over when it reaches 1 / alpha."""
    inside = places(plan.blocks, plan.contexts)
    day_passed = state.now - state.since > plan.days * plan.blocks
    waiting = inside & (state.seen[..., 0] > 0.0)
    again = ~(waiting[None] & ~state.covered[:, None]).any(axis=(2, 3))
    grown = state.spend[:, None] * np.exp(np.minimum(state.logs, 500.0))
    by_place = np.where(day_passed[:, None] & again, grown, 0.0).sum(axis=0)
    return float(by_place[plausible(plan.bound, state.seen)].min())


def _closed(plan: Plan, state: Recovering) -> Recovering:
    """The state after its block is complete, with a start at the end of it."""
    block, (draws, hits) = state.now % plan.blocks, state.filling.T
    if not draws.any():
        return state
    logs, covered = state.logs, state.covered.copy()
    # The block of the alarm is seen in part: the null speaks of whole ones.
    if state.now > state.opened:
        logs = logs + _log_ratio(plan, state.still, block, draws, hits)
        covered[:, :, block] |= draws > 0.0
    seen = state.seen.copy()
    seen[:, block] += state.filling
    alive = logs.max(axis=1, initial=_DEAD) > _DEAD
    day = (state.now - state.opened) // plan.blocks + 1
    return state._replace(
        seen=seen,
        since=np.append(state.since[alive], state.now),
        spend=np.append(state.spend[alive], 1.0 / (plan.blocks * day * (day + 1))),
        still=np.vstack([state.still[alive], still(plan.bound, seen)]),
        logs=np.vstack([logs[alive], np.zeros(logs.shape[1])]),
        covered=np.concatenate([covered[alive], np.zeros_like(seen[None, ..., 0], bool)]),
    )


def _log_ratio(plan: Plan, still: Floats, block: int, draws: Floats, hits: Floats) -> Floats:
    """Healthy bound against `still` on one block-day, by start and place."""
    inside = places(plan.blocks, plan.contexts)[:, :, block]
    n, h = inside @ draws, inside @ hits
    clean = (n - h) * (math.log1p(-plan.bound) - np.log1p(-still))
    return np.asarray(clean + h * (math.log(plan.bound) - np.log(still)))


def _number(plan: Plan, at: float) -> int:
    if not math.isfinite(at):
        raise StatisticsError(f"slot time {at!r}", remedy="Give finite seconds")
    return math.floor(at / (_DAY / plan.blocks))


def _check_plan(plan: Plan) -> None:
    if not (0.0 < plan.bound < 0.5 and 0.0 < plan.alpha < 1.0):
        raise StatisticsError(f"bound {plan.bound!r}, alpha {plan.alpha!r}")
    if plan.blocks < 1 or 24 % plan.blocks or min(plan.contexts, plan.days) < 1:
        raise StatisticsError(
            f"{plan.blocks} blocks, {plan.contexts} contexts, {plan.days} days",
            remedy="Blocks divide 24; one context and one day at least",
        )


def _check_counts(counts: Floats) -> None:
    hits, draws = counts[..., 1], counts[..., 0]
    if not ((hits >= 0.0) & (hits <= draws) & np.isfinite(draws)).all():
        raise StatisticsError(f"{hits.tolist()} hits among {draws.tolist()} draws")
