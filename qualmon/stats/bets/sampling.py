"""What a sampler's settings make of a reported distribution: the chance to miss the top token.

Reported logprobs are of temperature 1 without truncation (raw), as serving engines report them by
default. Each function returns the tail 1 - p1 after the setting, or an upper bound of it where
the list of alternatives is too short to say: a larger tail is a smaller bet, hence valid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def top_k(chance: Floats, listed: Ints, limit: int) -> tuple[Bools, Bools]:
    """(T, K) alternatives within the k most probable, (T,) whether the list reaches the cut.

    chance: (T, K) probabilities in falling order, padded with 0; listed: (T,) their number.
    """
    columns = np.arange(chance.shape[1]) < limit
    return np.broadcast_to(columns, chance.shape), np.asarray(listed >= limit)


def top_p(chance: Floats, limit: float) -> tuple[Bools, Bools]:
    """As `top_k`, for the smallest set of alternatives whose probability reaches `limit`."""
    reached = np.cumsum(chance, axis=1)
    return np.asarray(reached - chance < limit), np.asarray(reached[:, -1] >= limit)


def min_p(chance: Floats, least: Floats, limit: float) -> tuple[Bools, Bools]:
    """As `top_k`, for alternatives of at least `limit` times the top probability.

    least: (T,) the smallest listed probability, 0 where one was impossible.
    """
    line = limit * chance[:, :1]
    return np.asarray(chance >= line), np.asarray(least < line[:, 0])


def truncated_tail(chance: Floats, kept: Bools, covered: Bools, raw: Floats) -> Floats:
    """(T,) tail after the truncation; `raw` where the list does not reach the cut.

    Truncation leaves the top token and cuts others, so the tail before it bounds it.
    """
    rest = np.where(kept, chance, 0.0)[:, 1:].sum(axis=1)
    within = rest / np.maximum(rest + chance[:, 0], np.finfo(float).tiny)
    return np.where(covered, within, raw)


def tempered_tail(chance: Floats, temperature: float, vocabulary: int | None = None) -> Floats:
    """(T,) upper bound of the tail when the sampler divides logits by `temperature` > 0.

    chance: (T, K) raw probabilities in falling order, padded with 0. The unlisted mass m enters
    at its worst: below temperature 1 in tokens as probable as the last one listed, above it
    spread evenly over `vocabulary` tokens, which must then be given. Raises StatisticsError for
    a temperature that is not positive and finite, or without the vocabulary where it is needed.
    """
    if not 0.0 < temperature < np.inf:
        raise StatisticsError(f"temperature {temperature!r} is not positive and finite")
    power = 1.0 / temperature
    missing = np.maximum(1.0 - chance.sum(axis=1), 0.0)
    if power >= 1.0:
        last = np.where(chance > 0.0, chance, np.inf).min(axis=1)
        hidden = missing * np.minimum(last, 1.0) ** (power - 1.0)
    else:
        if vocabulary is None or vocabulary < 1:
            raise StatisticsError(
                f"temperature {temperature!r} above 1 needs the size of the vocabulary"
            )
        hidden = vocabulary * (missing / vocabulary) ** power
    weights = np.where(chance > 0.0, chance, 0.0) ** power
    rest = weights[:, 1:].sum(axis=1) + hidden
    return np.asarray(rest / np.maximum(rest + weights[:, 0], np.finfo(float).tiny))
