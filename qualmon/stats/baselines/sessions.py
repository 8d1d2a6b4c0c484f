"""Sample sizes in sessions: how many independent answers a reference is worth.

Answers of one session share what the session met (a replica, a serving state, a day), so n
answers in few sessions say less about the healthy rate than n independent ones. Prompts differ
in difficulty; the same prompts in every session take that out.

Source: Kish, Survey Sampling (1965), the design effect 1 + (m - 1) ICC. For the prompts:
e-values against a beta-binomial alternative, given the prompt's total (Ramdas and Wang,
Hypothesis testing with e-values, 2024).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, chdtri, gammaln, logsumexp

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.checks import checked
from qualmon.stats.esr import Floats

#: Intraclass correlations of the alternative that a prompt is tested against, equally weighted.
_CORRELATIONS: Final = (0.03, 0.1, 0.3, 0.6)


class Sessions(NamedTuple):
    """ratio: variance between sessions over binomial. icc, icc_limit: intraclass correlation and
    its upper limit. answers, effective: asked, and what they are worth as independent ones at
    `icc`. size: mean answers of a session, weighted by itself."""

    ratio: float
    icc: float
    icc_limit: float
    answers: float
    effective: float
    size: float


def sessions(bad: Floats, n: Floats, confidence: float = 0.95) -> Sessions:
    """What sessions of the same prompts are worth; bad, n: (sessions, prompts).

    The deviation of each session's bad answers from the prompts' pooled rates is compared with
    binomial variance; the limit takes it as normal (chi-square with sessions - 1 degrees), which
    needs ten bad answers or so in a session. For the skewed rates of rare faults it covers a
    little less (91 % at rate .05, ICC .03, 30 sessions), for a rare second state far less.
    Without any bad answer, or with bad ones only, nothing is known: ratio nan, ICC 0, limit 1.
    Raises StatisticsError for impossible counts, fewer than two sessions with answers, or a
    confidence outside [0.5, 1).
    """
    bad, n = _sessions_checked(bad, n)
    if not 0.5 <= confidence < 1.0:
        raise StatisticsError(f"confidence {confidence!r} is not in [0.5, 1)")
    asked = n.sum(axis=0)
    rates = bad.sum(axis=0) / np.maximum(asked, 1.0)
    # Of a prompt's variance in one session, what its own pooled rate explains is taken off.
    kept = 1.0 - n / np.maximum(asked, 1.0)
    expected = (n * kept * rates * (1.0 - rates)).sum(axis=1)
    answers, per_session = float(n.sum()), n.sum(axis=1)
    size = float((per_session**2).sum()) / answers
    if expected.sum() == 0.0:
        return Sessions(math.nan, 0.0, 1.0, answers, answers, size)
    found = float(((bad - n * rates).sum(axis=1) ** 2).sum() / expected.sum())
    degrees = len(n) - 1
    most = found * degrees / float(chdtri(degrees, confidence))
    icc, limit = (_correlation(ratio, size) for ratio in (found, most))
    worth = answers / (1.0 + (size - 1.0) * icc)
    return Sessions(found, icc, limit, answers, worth, size)


def _correlation(ratio: float, size: float) -> float:
    """ICC of sessions of `size` answers whose variance is `ratio` times binomial; in [0, 1]."""
    return min(max((ratio - 1.0) / (size - 1.0), 0.0), 1.0) if size > 1.0 else 1.0


def failing_prompts(bad: Floats, n: Floats, alpha: float = 0.01) -> NDArray[np.int64]:
    """Indices of prompts that answer by session; bad, n: (sessions, prompts).

    A prompt fails when its e-value reaches prompts / alpha, so that healthy prompts are ever
    named with probability alpha at most, at any rate and with few bad answers. Blind to prompts
    asked once a session. Raises StatisticsError as `sessions`, or for alpha outside (0, 1).
    """
    bad, n = _sessions_checked(bad, n)
    if not 0.0 < alpha < 1.0:
        raise StatisticsError(f"alpha {alpha!r} is not in (0, 1)")
    if not ((bad == np.floor(bad)).all() and (n == np.floor(n)).all()):
        raise StatisticsError("counts of prompts by session must be whole numbers")
    need = math.log(n.shape[1] / alpha)
    worth = [log_clustering(b, m) for b, m in zip(bad.T, n.T, strict=True)]
    return np.flatnonzero(np.asarray(worth) >= need).astype(np.int64)


def log_clustering(bad: Floats, n: Floats) -> float:
    """log e-value of one prompt against independent answers at any common rate, (sessions,).

    Likelihood given the total, beta-binomial sessions over binomial ones: the rate drops out,
    so the e-value has mean 1 exactly at every rate.
    """
    total, asked = int(bad.sum()), int(n.sum())
    if total in (0, asked):
        return 0.0
    free = _log_choose(n, bad).sum() - _log_choose(float(asked), float(total))
    logs = []
    for icc in _CORRELATIONS:
        size = 1.0 / icc - 1.0
        a, b = size * total / asked, size * (1.0 - total / asked)
        each = [_log_beta_binomial(int(m), a, b) for m in n]
        logs.append(
            sum(float(p[int(x)]) for p, x in zip(each, bad, strict=True)) - _log_total(each, total)
        )
    return float(logsumexp(logs) - math.log(len(logs)) - free)


def _log_total(each: list[Floats], total: int) -> float:
    """log probability of the sum `total` of independent counts with these log probabilities."""
    pmf = np.ones(1)
    for part in each:
        pmf = np.convolve(pmf, np.exp(part))[: total + 1]
    return math.log(pmf[total])


def _log_beta_binomial(n: int, a: float, b: float) -> Floats:
    k = np.arange(n + 1.0)
    return np.asarray(_log_choose(float(n), k) + betaln(k + a, n - k + b) - betaln(a, b))


def _log_choose(n: Floats | float, k: Floats | float) -> Floats:
    return np.asarray(
        gammaln(np.add(n, 1)) - gammaln(np.add(k, 1)) - gammaln(np.subtract(n, k) + 1)
    )


def _sessions_checked(bad: Floats, n: Floats) -> tuple[Floats, Floats]:
    bad, n = checked(bad, n)
    if n.ndim != 2:
        raise StatisticsError(f"counts of shape {n.shape}; give (sessions, prompts)")
    asked = n.sum(axis=1) > 0.0
    if asked.sum() < 2:
        raise StatisticsError(f"{int(asked.sum())} sessions with answers; give two or more")
    return bad[asked], n[asked]
