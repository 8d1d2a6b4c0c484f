"""The fold compiled by JAX: calibration, backtests and replays, on a processor or a GPU.

The only file with JAX, which is imported when the fold is first called. Float64; equal to
NumPy within 1e-12 relative (a compiler may fuse a multiplication with an addition), so the
alarms are the same but for evidence within that of the threshold.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.detector import Design
from qualmon.stats.esr import Floats
from qualmon.stats.grids import SATURATION

_MISSING: Final = (
    "JAX is not installed. Install the extra `numerics` (pip install 'qualmon[numerics]'), or "
    "fold with qualmon.stats.fleet, which needs NumPy only"
)


def fold(design: Design, mass: Floats, ratios: Floats, hours: float) -> tuple[Floats, Floats]:
    """Folds e-values (steps, streams) into masses (streams, bets): `runlength.Fold`.

    Returns (masses, evidence (steps, streams)). Raises StatisticsError for a negative or
    non-finite e-value, and when JAX is missing.
    """
    if ratios.size and not (ratios.min() >= 0.0 and ratios.max() < np.inf):
        raise StatisticsError(
            f"e-values between {ratios.min()!r} and {ratios.max()!r}; each must be a finite "
            "number >= 0"
        )
    after, evidence = on_device(design, mass, ratios, hours)
    return np.asarray(after), np.asarray(evidence)


def on_device(design: Design, mass: Any, ratios: Any, hours: float) -> tuple[Any, Any]:
    """As `fold`, but on arrays of JAX and without the check; raises when JAX is missing."""
    jax = _jax()
    # Scoped, not global: the caller's other computations keep their precision.
    with jax.enable_x64(True):
        eps, drift = np.asarray(design.shares), np.asarray(design.weights) * hours
        after, evidence = _compiled(False)(mass, ratios, eps, drift)
        # No mass exceeds its stream's evidence: below this, no limit would have acted.
        if not evidence.size or float(evidence.max()) < 0.5 * SATURATION:
            return after, evidence
        return tuple(_compiled(True)(mass, ratios, eps, drift))


def _jax() -> Any:
    try:
        import jax
    except ImportError:
        raise StatisticsError(_MISSING) from None
    return jax


@lru_cache
def _compiled(limited: bool) -> Any:
    """The scan over steps; esr.step's two limits only where masses can reach saturation."""
    jax = _jax()
    jnp = jax.numpy

    def run(mass: Any, ratios: Any, eps: Any, drift: Any) -> Any:
        def step(mass: Any, ratio: Any) -> Any:
            mass = mass + drift
            factor = (1.0 - eps) + eps * ratio[:, None]
            if limited:
                factor = jnp.minimum(factor, SATURATION / jnp.maximum(mass, 1.0))
            mass = mass * factor
            if limited:
                mass = jnp.minimum(mass, SATURATION)
            return mass, _total(mass)

        return jax.lax.scan(step, mass, ratios)

    return jax.jit(run)


def _total(mass: Any) -> Any:
    """Sum over the bets in index order, as esr.total."""
    result = mass[:, 0]
    for k in range(1, mass.shape[1]):
        result = result + mass[:, k]
    return result
