"""Bets on an ordered category (a rank bin, a grade): the last category is the worst.

The dictionary is made of tail bets: the log-uniform one, "not the first category" (a sampler
that drops the most probable token), the last category (corrupted tokens) and those between.

Catches: a share of answers in worse categories. Blind to: a shift to better ones (see
`two_sided`), and to changes inside a category.

Source: convex mixtures of tail bets (`tails`); counts by Clopper, Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from qualmon.errors import StatisticsError
from qualmon.stats.bets import tail_bounds, tails
from qualmon.stats.bets.dictionary import Dictionary, Template, build
from qualmon.stats.detector import EVENTS, Design
from qualmon.stats.esr import Floats

#: Prior of the log-uniform template, of leaving the first category, and of the last one;
#: the tails between share the rest.
LOG_UNIFORM_PRIOR: Final = 0.4
FIRST_PRIOR: Final = 0.3
LAST_PRIOR: Final = 0.15


def known(probabilities: ArrayLike, *, design: Design = EVENTS) -> Dictionary:
    """Bets where the healthy probabilities, shape (C,), best category first, are known.

    Raises StatisticsError unless they are C >= 2 numbers that sum to 1, the last in (0, 1).
    """
    given = np.asarray(probabilities, dtype=np.float64)
    proper = given.ndim == 1 and bool((given >= 0.0).all()) and abs(given.sum() - 1.0) <= 1e-9
    if not proper:
        raise StatisticsError(f"probabilities {given.tolist()!r} do not sum to 1")
    above = np.cumsum(given[::-1])[::-1]
    return build(_templates(tails.checked(np.append(1.0, above[1:]))), design)


def fit(
    counts: ArrayLike,
    *,
    confidence: float | None = tail_bounds.CONFIDENCE,
    design: Design = EVENTS,
) -> Dictionary:
    """Bets against healthy counts per category, shape (C,), best category first.

    confidence: as in `bounded.fit`; None takes the smoothed tails (hits + 1) / (n + 1), those
    of a Dirichlet prior that gives its one pseudo-count to the worse side of each cut.
    Raises StatisticsError for counts that are negative or no integers, and for a reference
    without an answer better than the worst.
    """
    given = np.asarray(counts, dtype=np.float64)
    whole = given.ndim == 1 and bool((np.isfinite(given) & (given >= 0.0)).all())
    if not (whole and bool((given % 1.0 == 0.0).all())):
        raise StatisticsError(f"counts {given.tolist()!r} are not all whole numbers >= 0")
    if given.size < 2 or given[:-1].sum() == 0.0:
        raise StatisticsError(
            f"counts {given.tolist()!r} have no answer better than the worst category; "
            "is the best category first?"
        )
    n, hits = int(given.sum()), np.cumsum(given[:0:-1]).astype(np.int64)
    above = tail_bounds.of_hits(n, hits, confidence)[::-1]
    return build(_templates(tails.checked(np.append(1.0, above))), design)


def factors(dictionary: Dictionary, category: ArrayLike) -> Floats:
    """Factors of categories 0 .. C-1 of any shape (...,): shape (..., M).

    Raises StatisticsError for what is no category; a missing answer is `dictionary.missing`.
    """
    found = np.asarray(category)
    size = dictionary.factors.shape[0]
    if found.dtype.kind not in "iu" or bool(((found < 0) | (found >= size)).any()):
        raise StatisticsError(f"category {category!r} is not among 0 .. {size - 1}")
    return np.asarray(dictionary.factors[found])


def _templates(bounds: Floats) -> list[Template]:
    last = bounds.size - 1
    between = (1.0 - LOG_UNIFORM_PRIOR - FIRST_PRIOR - LAST_PRIOR) / max(last - 2, 1)
    prior = np.full(last + 1, between)
    prior[last] = LAST_PRIOR
    prior[1] = FIRST_PRIOR
    single = np.eye(last + 1)
    tail = [
        Template(f">= {j}", tails.mixture(bounds, single[j]), float(prior[j]))
        for j in range(1, last + 1)
    ]
    every = tails.mixture(bounds, tails.log_uniform(bounds))
    return [Template("log-uniform", every, LOG_UNIFORM_PRIOR), *tail]
