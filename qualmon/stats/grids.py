"""The frozen bet grids. Re-tuning them after looking at data starts a new epoch."""

from __future__ import annotations

from typing import Final

#: Contamination shares: ten octaves, .0005 to .256 (statistics: the eps grid).
EPS_GRID: Final[tuple[float, ...]] = tuple(0.0005 * 2.0**k for k in range(10))

#: Per-token probabilities that a faulty sampler drops the most probable token.
DROP_GRID: Final[tuple[float, ...]] = tuple(1e-4 * 2.0**k for k in range(13))

#: Masses and e-values saturate here: large enough for any evidence, far from overflow.
SATURATION: Final = 1e250
