"""`qualmon detect`: its run length against frozen baselines, and with correlated clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qualmon.stats.bets import bounded
from qualmon.stats.detector import EVENTS
from qualmon.stats.fleet import Fleet
from qualmon.stats.runlength import mean_time
from qualmon.stats.score_valuation import Scores
from qualmon.stats.stream import Health, Stream, worth
from qualmon.stats.valuation import Counts, referenced

BUDGET = 200.0
LIMIT = 800


def _run_lengths(true: np.ndarray, rates: np.ndarray, runs: int, seed: int) -> np.ndarray:
    """Mean run length per reference: true and used rates (references, prompts), in turn."""
    rng = np.random.default_rng(seed)
    references, prompts = true.shape
    fleet = Fleet(EVENTS, references * runs)
    times = np.full((references, runs), np.inf)
    for t in range(LIMIT):
        k = t % prompts
        ratio = (rng.random((references, runs)) < true[:, k, None]) / rates[:, k, None]
        reached = fleet.step(ratio.ravel()).reshape(references, runs) >= BUDGET
        times[reached & np.isinf(times)] = t + 1
    return np.array([min(mean_time(row, LIMIT).mean, 20 * BUDGET) for row in times])


def _used(counts: dict[str | None, Counts]) -> list[float]:
    """The rates behind the bets of a reference."""
    found = referenced(counts, [])
    eps = EVENTS.shares[-1]
    return [eps / (found.worth(key, 1.0).factor.values[-1] - 1.0 + eps) for key in counts]


def _of_references(prompts: int, each: int, seed: int) -> np.ndarray:
    """Run lengths of 60 references, prompts with rates Beta(.3, 5.7), or one rate of 5 %."""
    rng = np.random.default_rng(seed)
    true = rng.beta(0.3, 5.7, (60, prompts)) if prompts > 1 else np.full((60, 1), 0.05)
    bad = rng.binomial(each, true)
    names: Sequence[str | None] = [f"p{k}" for k in range(prompts)] if prompts > 1 else [None]
    used = [
        _used({name: Counts(each, float(s)) for name, s in zip(names, row, strict=True)})
        for row in bad
    ]
    return _run_lengths(true, np.array(used), 20, seed + 1)


def test_a_frozen_baseline_keeps_the_budget() -> None:
    """One rate from 500 answers, five prompts of 100, 200 prompts of ten. The mean over 60
    references is at least nominal, and so is nine tenths of it for the first two; for 200
    prompts the 10th percentile is at least half (seen: 2.2, 5.2 and 1.7 x in the mean, 1.5, 1.6
    and .95 x at the percentile; other seeds fail with probability below 1e-3)."""
    for prompts, each, tenth in ((1, 500, 0.9), (5, 100, 0.9), (200, 10, 0.5)):
        found = _of_references(prompts, each, 3)
        assert found.mean() >= BUDGET
        assert np.quantile(found, 0.1) >= tenth * BUDGET


def test_a_reference_of_scores_keeps_the_budget() -> None:
    """300 scores of Beta(2, 18): over 20 references of 15 streams the mean run length, cut at
    4 x nominal, is at least nominal (seen 3.6 x)."""
    rng = np.random.default_rng(7)
    lengths = []
    for _ in range(20):
        found = Scores(rng.beta(2, 18, 300).tolist(), [0] * 300)
        for _ in range(15):
            stream: Stream[int] = Stream(found.health, BUDGET, found.weights)
            scores = bounded.scores(rng.beta(2, 18, LIMIT)).tolist()
            alarm = next(
                (
                    i
                    for i, x in enumerate(scores)
                    if stream.watch(None, found.worth(None, x), None, i)
                ),
                LIMIT,
            )
            lengths.append(alarm + 1)
    assert np.mean(lengths) >= BUDGET


def test_correlated_clusters_keep_the_budget_when_named() -> None:
    """Clusters of ten, correlation .3 inside, 5 % bad: named they keep 200 h, unnamed they do
    not (seen 257-274 and 134-152 over three seeds, sd 20 and 8: error probability 3e-3)."""
    good, bad = worth(0.0, 0.0), worth(20.0, 1.0)

    def mean(named: bool) -> float:
        rng = np.random.default_rng(9)
        total = alarms = 0
        for _ in range(60):
            stream: Stream[int] = Stream(Health(0.05, "proven"), BUDGET)
            for cluster in range(LIMIT // 10):
                rate = rng.beta(0.05 * 7 / 3, 0.95 * 7 / 3)
                for hit in rng.random(10) < rate:
                    name = str(cluster) if named else None
                    alarms += len(stream.watch(None, bad if hit else good, name, 0))
                    total += 1
        return total / alarms

    assert mean(named=True) >= BUDGET
    assert mean(named=False) < BUDGET
