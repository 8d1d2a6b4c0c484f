"""The bet on single-token draws: one session's counts of answers against reference sessions.

The draws of a session share a serving state, so the session is the unit: its counts follow a
Dirichlet-multinomial whose concentration carries both how much sessions differ (the intraclass
correlation, by its upper limit) and how little is known of their mean. The bet is the likelihood
ratio of a session in an unknown other state, whose answer frequencies are uniform over all.

Catches: another sampler, precision, model or pool behind a name, at the session. Blind to:
changes that keep every frequency; differences smaller than sessions of health show. Opens
tickets, never pages: frequencies of real endpoints step without becoming worse.
Source: Polya-Eggenberger (Dirichlet-multinomial) predictive distribution; Johnson, Kotz,
Balakrishnan, "Discrete Multivariate Distributions" (1997), ch. 40.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

Counts = NDArray[np.int64]

#: Answers never seen in the reference share this many pseudo-draws.
UNSEEN = 1.0


class Draws(NamedTuple):
    """Healthy predictive of a session: alpha (C + 1,), > 0; the last is every unseen answer."""

    alpha: Floats


def fit(sessions: Counts, icc: float) -> Draws:
    """From reference counts (sessions, answers), and the upper limit of their ICC in [0, 1).

    A session of n draws at ICC rho tells as much of the mean as n / (1 + (n - 1) rho) draws.
    The predictive's concentration is 1 / (1/s + 1/N) with s = 1/rho - 1 and N the total of those.
    Raises StatisticsError for no draws, negative counts or an ICC outside [0, 1).
    """
    if sessions.ndim != 2 or sessions.size == 0 or (sessions < 0).any() or not sessions.any():
        raise StatisticsError("reference counts must be (sessions, answers), >= 0, not all zero")
    if not 0.0 <= icc < 1.0:
        raise StatisticsError(f"intraclass correlation {icc!r} is not in [0, 1)")
    n = sessions.sum(axis=1)
    worth = 1.0 / (1.0 + np.maximum(n - 1, 0) * icc)
    seen = (sessions * worth[:, None]).sum(axis=0)
    alpha = np.append(seen + 0.5, UNSEEN)
    known = alpha.sum()
    spread = 1.0 / icc - 1.0 if icc > 0.0 else np.inf
    return Draws(alpha / known / (1.0 / known + 1.0 / spread))


def other_state(draws: Draws, counts: Counts) -> float:
    """E-value of one session's counts (C + 1,), unseen answers last; E <= 1 in health.

    Raises StatisticsError for counts of another shape or below 0.
    """
    if counts.shape != draws.alpha.shape or (counts < 0).any():
        raise StatisticsError(f"counts {counts!r} do not fit {len(draws.alpha)} answers")
    uniform = np.ones_like(draws.alpha)
    return float(np.exp(_log_likelihood(uniform, counts) - _log_likelihood(draws.alpha, counts)))


def _log_likelihood(alpha: Floats, counts: Counts) -> float:
    """Of an ordered sequence with these counts: the multinomial coefficient cancels."""
    n, total = counts.sum(), alpha.sum()
    return float(
        gammaln(total) - gammaln(total + n) + (gammaln(alpha + counts) - gammaln(alpha)).sum()
    )
