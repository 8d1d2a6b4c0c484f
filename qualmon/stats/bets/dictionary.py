"""A frozen dictionary of bets: templates x shares, over finitely many outcomes.

Each pair of a template (an e-value per outcome) and a share has a mass of its own: the mixture
is over whole paths, so not knowing the fault costs log(1 / weight) once and not per answer.
The masses are those of `qualmon.stats.esr`, with templates x shares as one longer bet axis.

Source: Shin, Ramdas, Rinaldo, "E-detectors" (NEJSDS 2023, 10.51387/23-NEJSDS51).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats import detector, esr
from qualmon.stats.detector import EVENTS, Design
from qualmon.stats.esr import Floats, Masses


class Template(NamedTuple):
    """A fault's e-value per outcome, shape (C,), and its prior weight (relative, > 0)."""

    name: str
    ratio: Floats
    prior: float


class Dictionary(NamedTuple):
    """Frozen bets on C outcomes, M = templates x shares of them, shares running fastest.

    factors: shape (C, M), of an outcome; weights: shape (M,), sum 1; shares: of the design. To
    change it after looking at data is to start a new epoch.
    """

    factors: Floats
    weights: Floats
    templates: tuple[str, ...]
    shares: tuple[float, ...]


def build(templates: Sequence[Template], design: Design = EVENTS) -> Dictionary:
    """Every template at every share of `design`, weighted by prior x weight of the share.

    Raises StatisticsError without templates, and for an e-value that is not finite or < 0.
    """
    if not templates:
        raise StatisticsError("a dictionary without templates; give one at least")
    ratios = np.stack([template.ratio for template in templates], axis=1)
    prior = np.asarray([template.prior for template in templates])
    return Dictionary(
        detector.factors(design, ratios).reshape(ratios.shape[0], -1),
        np.outer(prior / prior.sum(), design.weights).ravel(),
        tuple(template.name for template in templates),
        design.shares,
    )


def init(weights: Floats, shape: tuple[int, ...] = ()) -> Masses:
    """No evidence, for one stream (shape ()) or an array of streams."""
    return esr.init((*shape, weights.size))


def step(weights: Floats, state: Masses, factors: Floats, *, hours: float, at: float) -> Masses:
    """Folds the factors (..., M) of one outcome per stream; evidence is `detector.evidence`.

    hours: monitored hours since the last update, fixed before the outcome; at: hours since the
    epoch. Evidence A is reached falsely once in A hours at most.
    """
    return esr.step(state, weights * hours, at, factors)


def missing(dictionary: Dictionary) -> Floats:
    """Factors (M,) of an answer that never came: r = 0, which is always valid."""
    return np.tile(1.0 - np.asarray(dictionary.shares), len(dictionary.templates))


def by_template(dictionary: Dictionary, state: Masses) -> Floats:
    """Evidence of each template, summed over shares: shape (..., D), to name a fault's kind."""
    shape = (*state.mass.shape[:-1], len(dictionary.templates), len(dictionary.shares))
    return esr.total(state.mass.reshape(shape))
