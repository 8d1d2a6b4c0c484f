"""Two samples of any metric: e-values against "both come from one distribution".

Given the pooled values, the null makes every split equally likely; how many of the k highest
values are the candidate's is then hypergeometric, and a likelihood ratio against its noncentral
form is an e-value: exact, for any metric, without a scale. Several k and odds are averaged.

Catches: a candidate that is higher (or lower), and one whose spread differs although its middle
does not; a few large values among many equal ones. Blind to: changes below a few ranks.
Source: Fisher's noncentral hypergeometric law; Vovk, Wang (AoS 49, 2021) for averages of e-values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

#: Odds of the alternatives, and the parts of the pooled values that count as high.
ODDS: Final = (3.0, 9.0, 27.0, 81.0)
PARTS: Final = (0.15, 0.35, 0.5)


class Evidence(NamedTuple):
    """E-values against one common distribution; each has mean <= 1 under it.

    higher, lower: the candidate's values are; wider, narrower: it has more, or fewer, of the
    values at both ends.
    """

    higher: float
    lower: float
    wider: float
    narrower: float


def compare(reference: Sequence[float], candidate: Sequence[float]) -> Evidence:
    """Raises StatisticsError for an empty sample or a value that is not finite."""
    values = np.array([*reference, *candidate], dtype=np.float64)
    if not len(reference) or not len(candidate):
        raise StatisticsError("both samples need a value")
    if not np.isfinite(values).all():
        raise StatisticsError("a value is not finite")
    mine = np.arange(len(values)) >= len(reference)
    ends = np.abs(values - np.median(values))
    return Evidence(_top(values, mine), _top(-values, mine), _top(ends, mine), _top(ends, ~mine))


def _top(values: Floats, mine: NDArray[np.bool_]) -> float:
    """Mean e-value that the highest values are mine, over PARTS and ODDS."""
    found: list[float] = []
    for part in PARTS:
        count = max(1, round(part * len(values)))
        line = np.sort(values)[-count]
        high = values >= line
        if high.all():  # ties down to the least value: the strictly higher ones, if any
            high = values > line
        k, seen = int(high.sum()), int((high & mine).sum())
        found += [_ratio(k, seen, mine, odds) for odds in ODDS]
    return float(np.mean(found))


def _ratio(k: int, seen: int, mine: NDArray[np.bool_], odds: float) -> float:
    """Noncentral over central hypergeometric chance of `seen` of the k highest being mine."""
    total, own = len(mine), int(mine.sum())
    low, high = max(0, k - (total - own)), min(k, own)
    x = np.arange(low, high + 1, dtype=np.float64)
    ways = _log_choose(own, x) + _log_choose(total - own, k - x)
    central = logsumexp(ways)
    tilted = logsumexp(ways + x * np.log(odds))
    return float(np.exp(seen * np.log(odds) - tilted + central))


def _log_choose(n: int, k: Floats) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
