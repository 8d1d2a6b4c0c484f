"""Settings of the interpreter that suit a long-running prober."""

from __future__ import annotations

import gc


def tune_collector() -> None:
    """Collects cycles more rarely.

    An answer with log-probabilities makes some five hundred small values that die together
    without cycles; at the default threshold the collector walks them again and again (a fifth
    of the process's time, measured with `qualmon demo`).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
