"""Confidence limits for rates of rare events, and the audit of a declared healthy rate."""

from __future__ import annotations

import math

from scipy.special import bdtrc, betaincinv, betaln

from qualmon.errors import StatisticsError


def _check_counts(n: int, hits: float) -> None:
    if not 0 <= hits <= n:
        raise StatisticsError(f"{hits} hits among {n} answers")


def _check_alpha(alpha: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise StatisticsError(f"alpha {alpha!r} is not in (0, 1)")


def upper_limit(n: int, hits: float, confidence: float = 0.95) -> float:
    """Clopper-Pearson upper limit of a rate; 1.0 for n = 0. With no hit it is about 3/n.

    Raises StatisticsError for impossible counts. Source: Clopper, Pearson, Biometrika 26 (1934).
    """
    _check_counts(n, hits)
    return 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, confidence))


def stands_out(n: int, hits: int, bound: float, alternatives: int, alpha: float = 0.01) -> bool:
    """True when `hits` or more of `n` at rate `bound` are rarer than alpha / alternatives."""
    _check_counts(n, hits)
    return hits > 0 and float(bdtrc(hits - 1, n, bound)) < alpha / max(alternatives, 1)


def _log_mixture(n: int, hits: float) -> float:
    """log of the Beta(1/2, 1/2)-mixture likelihood of one sequence with these counts."""
    return float(betaln(hits + 0.5, n - hits + 0.5) - betaln(0.5, 0.5))


def _log_likelihood(n: int, hits: float, rate: float) -> float:
    bad = hits * math.log(rate) if hits else 0.0
    return bad + ((n - hits) * math.log1p(-rate) if n > hits else 0.0)


def confidence_sequence(n: int, hits: float, alpha: float) -> tuple[float, float]:
    """Interval for a rate, valid at all n at once (Robbins' mixture martingale, Ville).

    Also for a mean of values in [0, 1], hits being their sum: a likelihood ratio of fractions is
    convex in them, so its mean is at most that of events with the same mean.
    Returns (low, high) within [0, 1]; (0, 1) for n = 0. Raises StatisticsError for impossible
    counts or alpha outside (0, 1). Source: Robbins 1970; Howard et al., AoS 49 (2021).
    """
    _check_counts(n, hits)
    _check_alpha(alpha)
    if n == 0:
        return 0.0, 1.0
    limit, middle = _log_mixture(n, hits) + math.log(alpha), hits / n
    low = 0.0 if hits == 0 else _root(n, hits, limit, 1e-300, middle)
    high = 1.0 if hits == n else _root(n, hits, limit, 1.0 - 1e-16, middle)
    return low, high


def refuted(n: int, hits: int, bound: float, alpha: float) -> bool:
    """True when the confidence sequence at level 1 - alpha lies wholly above `bound`.

    A true bound is ever refuted with probability alpha at most, however often one looks.
    Raises StatisticsError like confidence_sequence.
    """
    _check_counts(n, hits)
    _check_alpha(alpha)
    if hits <= n * bound:
        return False
    return _log_mixture(n, hits) - _log_likelihood(n, hits, bound) >= -math.log(alpha)


def _root(n: int, hits: float, limit: float, outside: float, inside: float) -> float:
    """Bisects for the rate whose log likelihood is `limit`; returns the outer end."""
    if _log_likelihood(n, hits, outside) > limit:
        return outside
    for _ in range(80):
        middle = 0.5 * (outside + inside)
        if middle in (outside, inside):
            break
        if _log_likelihood(n, hits, middle) <= limit:
            outside = middle
        else:
            inside = middle
    return outside
