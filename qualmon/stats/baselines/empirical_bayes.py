"""Healthy rates of prompts from a few reference answers each: empirical Bayes.

Prompts differ, and ten answers say little about one prompt, but two hundred prompts say what
is usual. The rates are taken as Beta(a, b) over the prompts, the prior is fitted to all counts
together, and the rate of a prompt is its posterior predictive rate (s + a) / (n + a + b).

Source: Skellam, JRSS B 10 (1948), the beta-binomial law; Griffin and Krutchkoff, Biometrika 58
(1971), its empirical Bayes use; Stone, JRSS B 36 (1974), leave-one-out assessment.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.special import betaln, psi, zeta

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.checks import checked
from qualmon.stats.esr import Floats

#: The prior concentration a + b is about 10, within a factor e**2 either way: a weak penalty
#: that keeps it finite where the counts cannot tell.
_CONCENTRATION: Final = math.log(10.0)
_SPREAD: Final = 2.0
#: No predicted rate below this, so that one answer is worth at most 10,000 (rule: a lower bound
#: needs proof of its own).
FLOOR: Final = 1e-4
#: Standard errors of the mean e-value by which `inflated` guards the run length of a reference
#: that stays as it is: at .1 one reference in ten has less than half the nominal run length.
MARGIN: Final = 0.5
#: The same for one that goes on learning, whose errors fade; .5 would cost it up to a fifth more
#: delay at a share of .8 %.
LEARNING_MARGIN: Final = 0.1
#: `inflated` raises log(a) by no more: by then every rate is 1 in all digits.
_MOST: Final = 64.0


class Prior(NamedTuple):
    """Beta(a, b) of the healthy rates over prompts; a, b > 0, with their standard errors (nan
    if the prior was given rather than fitted)."""

    a: float
    b: float
    a_error: float = math.nan
    b_error: float = math.nan


def fit(hits: Floats, n: Floats) -> Prior:
    """The prior of (hits, n) per prompt by penalised maximum likelihood.

    hits, n: (prompts,) or (sessions, prompts); fractions are allowed (effective counts). Half a
    hit and half a good answer on the mean, and a weak normal penalty on log(a + b), keep the
    fit finite for no hit at all, equal counts, and one prompt. Raises StatisticsError for
    impossible counts or an empty reference.
    """
    from scipy.optimize import minimize

    hits, n = (np.atleast_2d(part).sum(axis=0) for part in checked(hits, n))
    cells, times = np.unique(np.stack([hits, n]), axis=1, return_counts=True)
    weights = times.astype(np.float64)
    cell_hits, cell_n = cells
    mean = (hits.sum() + 0.5) / (n.sum() + 1.0)
    start = np.log(math.exp(_CONCENTRATION) * np.array([mean, 1.0 - mean]))

    def loss(logs: Floats) -> tuple[float, Floats]:
        value, slope, _ = _penalised(logs, cell_hits, cell_n, weights)
        return -value, -slope

    def curvature(logs: Floats) -> Floats:
        return -_penalised(logs, cell_hits, cell_n, weights)[2]

    found = minimize(loss, start, jac=True, hess=curvature, method="trust-exact")
    a, b = np.exp(found.x)
    errors = np.sqrt(np.diag(np.linalg.inv(curvature(found.x))))
    return Prior(float(a), float(b), float(a * errors[0]), float(b * errors[1]))


def rate(prior: Prior, hits: Floats | float, n: Floats | float) -> Floats:
    """Predicted healthy rate (s + a) / (n + a + b), in [FLOOR, 1); shape of hits and n.

    A prompt unknown to the reference has n = 0 and gets the prior's rate. Raises
    StatisticsError for impossible counts or a prior outside its range.
    """
    _check(prior)
    s, m = checked(hits, n)
    return np.asarray(np.maximum((s + prior.a) / (m + prior.a + prior.b), FLOOR))


def inflated(prior: Prior, hits: Floats, n: Floats, margin: float = MARGIN) -> Prior:
    """The prior with a raised until the reference itself would not have been suspicious.

    Each reference answer is predicted from the others of its prompt (with sessions: from the
    other sessions) under `prior`; the mean of its e-values, plus `margin` standard errors, must
    not exceed 1. A prior fitted elsewhere, or wrong, is thereby corrected by the reference on
    which its rates are used; a right one loses little. margin: MARGIN for a frozen reference,
    LEARNING_MARGIN for a self-starting one, 1 where its sessions are few and differ.
    hits, n: (prompts,) or (sessions, prompts), as in `fit`; the larger standard error, by
    prompts or by sessions, counts. Where nearly all answers are bad, rates near 1 come out,
    which never give evidence.
    Raises StatisticsError as `rate` does, or for a negative or infinite margin.
    """
    if not 0.0 <= margin < math.inf:
        raise StatisticsError(f"margin {margin!r} is not a number >= 0")
    _check(prior)

    def suspicious(log_scale: float) -> bool:
        raised = prior._replace(a=prior.a * math.exp(log_scale))
        return leave_one_out(raised, hits, n, margin) > 1.0

    if not suspicious(0.0):
        return prior
    low, high = 0.0, 1.0
    while high < _MOST and suspicious(high):
        low, high = high, 2.0 * high
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if suspicious(middle) else (low, middle)
    return prior._replace(a=prior.a * math.exp(high))


def leave_one_out(prior: Prior, hits: Floats, n: Floats, margin: float = 0.0) -> float:
    """Mean e-value of the reference answers, each predicted from the others of its prompt.

    At most 1 in expectation where `prior` is right. Counts one hit that was not seen, in a
    prompt without any, so that a clean reference does not prove a rate of 0. Plus `margin`
    standard errors. Arguments and errors as in `inflated`.
    """
    hits, n = checked(hits, n)
    answers = float(n.sum())
    if answers == 0.0:
        raise StatisticsError("an empty reference; give answers of at least one prompt")
    if n.ndim == 1:
        # Each answer its own session: a hit of the prompt is predicted from the rest.
        worth = hits / rate(prior, np.maximum(hits - 1.0, 0.0), np.maximum(n - 1.0, 0.0))
        error = _spread(worth, n)
    else:
        worth = hits / rate(prior, hits.sum(axis=0) - hits, n.sum(axis=0) - n)
        error = max([_spread(worth.sum(axis=x), n.sum(axis=x)) for x in (0, 1)])
    usual = answers / np.count_nonzero(np.atleast_2d(n).sum(axis=0))
    unseen = (1.0 - float(hits.sum()) / answers) / float(rate(prior, 0.0, usual))
    return (float(worth.sum()) + unseen + margin * error) / answers


def _spread(worth: Floats, n: Floats) -> float:
    """Standard error of the total of independent parts, about their common mean per answer."""
    if worth.size < 2:
        return 0.0
    residual = worth - n * (worth.sum() / n.sum())
    return math.sqrt(float((residual**2).sum()) * worth.size / (worth.size - 1))


def _penalised(
    logs: Floats, hits: Floats, n: Floats, weights: Floats
) -> tuple[float, Floats, Floats]:
    """Penalised log likelihood in (log a, log b), its gradient (2,) and Hessian (2, 2)."""
    a, b = np.exp(logs)
    value = float(weights @ (betaln(hits + a, n - hits + b) - betaln(a, b)))
    common = psi(a + b) - psi(n + a + b)
    slope_a = float(weights @ (psi(hits + a) - psi(a) + common))
    slope_b = float(weights @ (psi(n - hits + b) - psi(b) + common))
    both = zeta(2, a + b) - zeta(2, n + a + b)
    bend_a = float(weights @ (zeta(2, hits + a) - zeta(2, a) + both))
    bend_b = float(weights @ (zeta(2, n - hits + b) - zeta(2, b) + both))
    cross = a * b * float(weights @ both)
    slope = np.array([a * slope_a, b * slope_b])
    bend = np.array([[a**2 * bend_a + slope[0], cross], [cross, b**2 * bend_b + slope[1]]])
    extra = _penalty(a / (a + b), math.log(a + b))
    return value + extra[0], slope + extra[1], bend + extra[2]


def _penalty(mean: float, log_sum: float) -> tuple[float, Floats, Floats]:
    """(log mean + log(1 - mean)) / 2 and the normal penalty on log(a + b), with derivatives."""
    off = (log_sum - _CONCENTRATION) / _SPREAD**2
    turn = np.array([1.0, -1.0])
    part = np.array([mean, 1.0 - mean])
    swing = mean * (1.0 - mean) * np.outer(turn, turn)
    value = 0.5 * (math.log(mean) + math.log1p(-mean)) - 0.5 * off**2 * _SPREAD**2
    slope = (0.5 - mean) * turn - off * part
    return value, slope, -swing - np.outer(part, part) / _SPREAD**2 - off * swing


def _check(prior: Prior) -> None:
    if not (0.0 < prior.a < math.inf and 0.0 < prior.b < math.inf):
        raise StatisticsError(f"prior Beta({prior.a!r}, {prior.b!r}): a and b must be > 0")
