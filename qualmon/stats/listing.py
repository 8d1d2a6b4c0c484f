"""Which of many streams have changed: e-detectors through the e-BH rule (e-d-BH).

List the k streams of largest evidence, k as large as possible with the k-th at least N / (alpha k)
where N is the number of streams. For a stream that never changed, evidence has a mean of at most
the hours elapsed, whenever one stops; and a listed one has evidence >= N / (alpha k). So the false
part of the list, 1{listed} / k, is at most alpha x evidence / N, and its mean over streams at most
alpha x E[hours]: alpha is an *error rate per hour*, not a false discovery rate. No monitor with a
finite run length controls the plain one.

Every stream's evidence must be an e-detector in one common filtration (what all streams saw), or
the stopping time of the list is none of its own. Weight 1 each: give masses of drift 1 an hour.

Catches: the affected cells of a fault that is no node. Blind to: cells whose own evidence is small,
however clear the node's alarm.
Source: Dandapanthula, Ramdas, "Multiple testing in multi-stream sequential change detection"
(arXiv:2501.04130); Wang, Ramdas, "False discovery rate control with e-values" (JRSS B 84, 2022).
The bound above is derived here, not quoted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats


def listed(evidence: Floats, alpha: float) -> NDArray[np.intp]:
    """Indices of the streams listed, rising; empty when none has enough.

    evidence: (N,), hours, >= 0, of drift 1 an hour each. alpha: error rate per hour, > 0.
    Raises StatisticsError for other shapes and values.
    """
    if evidence.ndim != 1 or not (evidence >= 0.0).all() or not np.isfinite(evidence).all():
        raise StatisticsError(f"evidence of shape {evidence.shape}: give (N,), finite and >= 0")
    if not (np.isfinite(alpha) and alpha > 0.0):
        raise StatisticsError(f"alpha {alpha!r} is not a positive error rate per hour")
    falling = np.argsort(-evidence, kind="stable")
    rank = np.arange(1, len(evidence) + 1)
    enough = np.flatnonzero(evidence[falling] * rank * alpha >= len(evidence))
    return np.sort(falling[: enough[-1] + 1]) if len(enough) else np.zeros(0, dtype=np.intp)
