"""References gathered in sessions that differ, and healthy offsets watched for slow drift."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import expit, logit

from benchmarks.detection.baselines_streams import (
    PROMPTS,
    Floats,
    Population,
    by_prompt,
    run_length,
    simulate,
)
from benchmarks.report import Table
from qualmon.stats.baselines.drift import Block, block, drift
from qualmon.stats.baselines.empirical_bayes import LEARNING_MARGIN, fit, inflated
from qualmon.stats.baselines.sessions import sessions

#: Sessions of one reference, and their answers of each prompt.
SESSIONS: Final = 5
CALLS: Final = 2


def clustered(references: int, runs: int, seed: int) -> Table:
    """Run lengths when sessions of the reference differ by a common shock in log odds."""
    rows = [row for sd in (0.0, 0.3, 0.6) for row in _clustered(sd, references, runs, seed)]
    return Table(
        "References of 5 sessions x 2 answers x 200 prompts, sessions differing by a common shock",
        ("shock sd", "counted as", "ICC (mean)", "worth (answers)", "run length", "10th"),
        tuple(rows),
        "The stream itself is healthy at the mean rates; it learns with a lag of one round.",
    )


def _clustered(sd: float, references: int, runs: int, seed: int) -> list[tuple[float | str, ...]]:
    rng = np.random.default_rng([seed, 41, round(100 * sd)])
    base = rng.beta(0.3, 5.7, (references, PROMPTS)).clip(1e-9, 1.0 - 1e-9)
    shocks = sd * rng.normal(size=(references, SESSIONS, 1))
    hits = rng.binomial(CALLS, expit(logit(base)[:, None] + shocks)).astype(np.float64)
    n = np.full(hits.shape, float(CALLS))
    points, weights = np.polynomial.hermite_e.hermegauss(15)
    mean = expit(logit(base)[..., None] + sd * points) @ (weights / weights.sum())
    people = Population(np.asarray(mean), hits.sum(axis=1), n.sum(axis=1))
    worth = [sessions(h, m) for h, m in zip(hits, n, strict=True)]
    icc = float(np.mean([one.icc for one in worth]))
    effective = float(np.median([one.effective for one in worth]))
    cases: tuple[tuple[str, Floats, Floats, float], ...] = (
        ("independent answers", people.hits, people.n, LEARNING_MARGIN),
        ("sessions", hits, n, LEARNING_MARGIN),
        ("sessions, margin 1", hits, n, 1.0),
    )
    rows: list[tuple[float | str, ...]] = []
    for name, counts, asked, margin in cases:
        pairs = zip(counts, asked, strict=True)
        rule = by_prompt(name, people, [inflated(fit(h, m), h, m, margin) for h, m in pairs])
        found = run_length(simulate(people, rule, runs=runs, seed=seed + 5))
        rows.append((sd, name, icc, effective, found.mean, found.tenth))
    return rows


def drift_tickets(streams: int, seed: int) -> Table:
    """Tickets of healthy streams and of slow drifts; a target, three others, 20 prompts."""
    rng = np.random.default_rng([seed, 43])
    rows = []
    for day_sd in (0.0, 0.2):
        for slope in (0.0, 0.05, 0.1):
            opened = np.array([_weeks(rng, day_sd, slope) for _ in range(streams)])
            weeks = [float((opened[:, :k].any(axis=1)).mean()) for k in (1, 4, 8, 12)]
            rows.append((day_sd, slope, float(opened.mean()), *weeks))
    return Table(
        "Slow drift of one target of four: tickets at a stated rate of .05 per block",
        ("own day sd", "drift a week", "tickets a block", "by 1", "by 4", "by 8", "by 12 weeks"),
        tuple(rows),
        "Drift in log odds; 20 prompts x 6 answers a day, anchor of 30 days. With drift 0 all "
        "tickets are false, and weeks of one stream share their anchor.",
    )


def _weeks(rng: np.random.Generator, day_sd: float, slope: float) -> list[bool]:
    prompts = rng.normal(-3.0, 1.2, (1, 20, 1))

    def days(count: int, shift: float) -> Block:
        odds = prompts + 0.3 * rng.normal(size=(count, 1, 1))
        odds = odds + day_sd * rng.normal(size=(count, 1, 4))
        odds[..., 0] += shift
        n = np.full(odds.shape, 6.0)
        return block(rng.binomial(6, expit(odds)).astype(np.float64), n)

    anchor = days(30, 0.0)
    seen: list[Block] = []
    tickets = []
    for week in range(1, 13):
        seen.append(days(7, slope * week))
        tickets.append(bool(drift(anchor, seen, 0.05).ticket[0]))
    return tickets
