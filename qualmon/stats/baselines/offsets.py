"""Healthy log-odds offsets between targets that answer the same prompts in the same rounds.

What makes a prompt hard or a round bad is common to all targets and is conditioned out: given
s failures in a stratum (one prompt in one round), which targets they fell on depends only on
the differences of log odds, the offsets b. They are fitted by conditional maximum likelihood
with half a failure and half a success added to each target, as one does with an empty cell of
a 2 x 2 table. The unit of sampling is the session: limits come from the spread of the scores
between sessions, never from the number of answers alone.

Source: Cox, JRSS B 20 (1958), the conditional likelihood; Haldane, Ann. Hum. Genet. 20 (1956),
the halves; Liang and Zeger, Biometrika 73 (1986), the sandwich by clusters.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, expit, stdtrit

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Failures, and as many successes, added to each target: one without a failure stays finite.
_HALF: Final = 0.5
_TOLERANCE: Final = 1e-10


Indices = NDArray[np.int64]


class OffsetFit(NamedTuple):
    """offset: (k,), log odds relative to the mean of the targets. model, between: (k,),
    variances of each offset, from independent answers and from the spread of sessions."""

    offset: Floats
    model: Floats
    between: Floats
    sessions: int


class Offsets(NamedTuple):
    """offset: (k,), sums to 0. upper: (k,), the limit of target j's offset while the others
    stay at `offset`: who tests target j puts upper[j] in the place of offset[j]."""

    offset: Floats
    upper: Floats


def offsets(bad: Floats, n: Floats, confidence: float = 0.95) -> Offsets:
    """Offsets with one-sided upper limits, each at `confidence`.

    bad, n: (sessions, strata, targets), failures and answers; n = 0 where a target was not
    asked. A stratum is one prompt in one round, or one prompt if rounds are alike. Raises
    StatisticsError for impossible counts, fewer than two targets or two sessions, or a
    confidence outside [0.5, 1).
    """
    if not 0.5 <= confidence < 1.0:
        raise StatisticsError(f"confidence {confidence!r} is not in [0.5, 1)")
    found = fit(bad, n)
    k = found.offset.size
    # Offsets sum to 0, so b_j minus the mean of the others is k / (k - 1) times b_j. The larger
    # variance: with few failures the spread between sessions is too small by chance.
    error = np.sqrt(np.maximum(found.model, found.between)) * k / (k - 1)
    return Offsets(found.offset, found.offset + stdtrit(found.sessions - 1, confidence) * error)


def dispersion(found: OffsetFit) -> Floats:
    """Variance of each offset between sessions over that of independent answers, (k,).

    About 1 when sessions are alike; the audit of parallel trends for controlled bets.
    """
    return found.between / found.model


def fit(bad: Floats, n: Floats) -> OffsetFit:
    """Penalised conditional maximum likelihood; arguments and errors as in `offsets`."""
    strata = _strata(bad, n)
    b = np.zeros(strata.bad.shape[1])
    for _ in range(100):
        score, information = _slopes(strata, b)
        change = np.linalg.solve(information, score)
        # Newton on a concave function; a step of one log odds at most keeps it from overshooting.
        b = b + change * min(1.0, 1.0 / max(float(np.abs(change).max()), 1e-300))
        if float(np.abs(change).max()) < _TOLERANCE:
            return _fitted(strata, b)
    raise StatisticsError("offsets do not converge; give more failures per target")


def _fitted(strata: _Strata, b: Floats) -> OffsetFit:
    inverse = np.asarray(np.linalg.inv(_slopes(strata, b)[1]), dtype=np.float64)
    # What the constraint adds along (1, ..., 1) is no uncertainty of the offsets.
    model = np.asarray(np.diag(inverse) - 1.0 / b.size, dtype=np.float64)
    scores = np.zeros((strata.sessions, b.size))
    np.add.at(scores, strata.session, strata.bad - _moments(strata, b)[0])
    spread = scores.T @ scores * strata.sessions / (strata.sessions - 1)
    between = np.asarray(np.diag(inverse @ spread @ inverse), dtype=np.float64)
    return OffsetFit(b, model, between, strata.sessions)


def _slopes(strata: _Strata, b: Floats) -> tuple[Floats, Floats]:
    """Score (k,) and information (k, k), with the halves and the constraint sum(b) = 0."""
    mean, information = _moments(strata, b)
    k = b.size
    # The halves are spread over all pairs of targets: one failure between the two of a pair.
    chance = expit(b[:, None] - b[None, :])
    weight = _HALF / (k - 1)
    slack = 2.0 * weight * chance * (1.0 - chance)
    information += np.diag(slack.sum(axis=1)) - slack + 1.0 / k
    score = (strata.bad - mean).sum(axis=0) + weight * (1.0 - 2.0 * chance).sum(axis=1) - b.mean()
    return score, information


class _Strata(NamedTuple):
    """Informative strata only (failures and successes both seen), grouped by counts asked.

    bad: (strata, k). session, kind: (strata,), indices. kinds: (kinds, k), answers asked.
    """

    bad: Floats
    session: Indices
    kinds: Floats
    kind: Indices
    sessions: int


def _strata(bad: Floats, n: Floats) -> _Strata:
    bad, n = np.asarray(bad, dtype=np.float64), np.asarray(n, dtype=np.float64)
    _check(bad, n)
    sessions, strata, k = bad.shape
    session = np.repeat(np.arange(sessions, dtype=np.int64), strata)
    flat_bad, flat_n = bad.reshape(-1, k), n.reshape(-1, k)
    failures = flat_bad.sum(axis=1)
    told = (failures > 0) & (failures < flat_n.sum(axis=1))
    kinds, kind = np.unique(flat_n[told], axis=0, return_inverse=True)
    return _Strata(flat_bad[told], session[told], kinds, kind.reshape(-1), sessions)


def _moments(strata: _Strata, b: Floats) -> tuple[Floats, Floats]:
    """Means of the failures given their sum, (strata, k), and the information, (k, k)."""
    mean = np.zeros_like(strata.bad)
    information = np.zeros((b.size, b.size))
    failures = strata.bad.sum(axis=1).astype(np.int64)
    for index, asked in enumerate(strata.kinds):
        rows = strata.kind == index
        means, covariances = _given_sum(asked, b)
        mean[rows] = means[failures[rows]]
        times = np.bincount(failures[rows], minlength=len(means))
        information += np.einsum("s,sij->ij", times, covariances)
    return mean, information


def _given_sum(asked: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Means (N + 1, k) and covariances (N + 1, k, k) of binomial counts given their sum.

    The law given the sum is that of independent Binomial(asked_j, expit(b_j + c)) for any c.
    """
    k, total = b.size, int(asked.sum())
    pmf = [_binomial(int(m), float(expit(v))) for m, v in zip(asked, b, strict=True)]
    first = [p * np.arange(p.size) for p in pmf]
    second = [p * np.arange(p.size) ** 2 for p in pmf]
    norm = np.maximum(_convolved(pmf), 1e-300)
    means = np.empty((total + 1, k))
    products = np.empty((total + 1, k, k))
    for i in range(k):
        means[:, i] = _convolved([*pmf[:i], first[i], *pmf[i + 1 :]]) / norm
        products[:, i, i] = _convolved([*pmf[:i], second[i], *pmf[i + 1 :]]) / norm
        for j in range(i):
            parts = [first[m] if m in (i, j) else pmf[m] for m in range(k)]
            products[:, i, j] = products[:, j, i] = _convolved(parts) / norm
    return means, products - means[:, :, None] * means[:, None, :]


def _binomial(m: int, p: float) -> Floats:
    """Probabilities of 0..m."""
    below = bdtr(np.arange(m + 1, dtype=np.float64), m, p) if m else np.ones(1)
    return np.diff(np.asarray(below), prepend=0.0)


def _convolved(parts: list[Floats]) -> Floats:
    found = np.ones(1)
    for part in parts:
        found = np.convolve(found, part)
    return found


def _check(bad: Floats, n: Floats) -> None:
    if bad.shape != n.shape or bad.ndim != 3 or bad.shape[2] < 2 or bad.shape[0] < 2:
        raise StatisticsError(
            f"counts of shapes {bad.shape} and {n.shape}: give (sessions, strata, targets) "
            "twice, with two sessions and two targets or more"
        )
    counts = np.stack([bad, n])
    if not (np.isfinite(counts).all() and (counts == np.floor(counts)).all()):
        raise StatisticsError("counts must be whole numbers")
    if (bad < 0).any() or (bad > n).any():
        raise StatisticsError("failures must lie between 0 and the answers of their target")
