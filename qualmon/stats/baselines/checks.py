"""What every reference of counts must fulfil."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats


def checked(hits: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """(hits, n) as float arrays of one shape, 0 <= hits <= n < infinity.

    Raises StatisticsError for other counts, and for arrays without an entry.
    """
    found = (np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64))
    if found[0].shape != found[1].shape:
        shapes = f"{found[0].shape} and {found[1].shape}"
        raise StatisticsError(f"hits and answers have shapes {shapes}; give one shape")
    if found[1].size == 0:
        raise StatisticsError("an empty reference; give answers of at least one prompt")
    # Written so that nan fails too.
    wrong = ~((found[0] >= 0.0) & (found[0] <= found[1]) & np.isfinite(found[1]))
    if wrong.any():
        first = tuple(int(axis[0]) for axis in np.nonzero(np.atleast_1d(wrong)))
        pair = [float(np.atleast_1d(part)[first]) for part in found]
        raise StatisticsError(f"{pair[0]!r} hits among {pair[1]!r} answers")
    return found
