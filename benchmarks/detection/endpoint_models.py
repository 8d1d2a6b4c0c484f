"""Four models of a healthy endpoint that answers one forced-choice prompt set, by session.

All sessions of a day see the day's hidden state; a session's draws come from one state. What the
measured endpoints left open is chosen here, once, and named:

- event (any answer but the usual one): rate .14 where there is one state; .01 in the common and
  .6 in the rarer state where there are two. 26 % of the days are in the rarer one (6 of 23).
- the rarer state holds an answer of its own, in .137 of its draws (137 per 1,000 were new to a
  reference that held one state). Stray answers, new to any reference: 1e-4 of the draws.
- days independent (no autocorrelation was found). Two states: each session on its own, beside a
  partner with one state. Common factor: target and partner share .4 of the variance of a latent
  normal, one draw a day, whose top 26 % is the rarer state.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri

Model = Literal["stable", "ICC .02", "two states", "common factor"]
MODELS: Final[tuple[Model, ...]] = get_args(Model)

EVENT: Final = 0.14
EVENT_BY_STATE: Final = np.array([0.01, 0.6])
RARER: Final = 0.26
OWN_ANSWER: Final = 0.137
STRAY: Final = 1e-4
ICC: Final = 0.02
SHARED: Final = 0.4


class Draws(NamedTuple):
    """Counts per endpoint, day and session, shape (E, D, S): draws that are events, that hold the
    rarer state's own answer, and that are strays; `rarer` tells the state."""

    events: NDArray[np.int64]
    own: NDArray[np.int64]
    strays: NDArray[np.int64]
    rarer: NDArray[np.bool_]


def states(
    model: Model, endpoints: int, days: int, sessions: int, rng: Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each session is in the rarer state: (E, D, S) for targets and for partners."""
    shape = (endpoints, days, sessions)
    if model == "two states":
        # Each session anew: the unit is the session. The partner has one state.
        return rng.random(shape) < RARER, np.zeros(shape, dtype=bool)
    if model != "common factor":
        return np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    shared = rng.standard_normal((endpoints, days, 1))
    limit = -ndtri(RARER)
    found = []
    for _ in range(2):
        own = rng.standard_normal((endpoints, days, 1))
        latent = np.sqrt(SHARED) * shared + np.sqrt(1.0 - SHARED) * own
        found.append(np.broadcast_to(latent > limit, shape).copy())
    return found[0], found[1]


def drawn(model: Model, rarer: NDArray[np.bool_], draws: int, rng: Generator) -> Draws:
    """`draws` answers of each session."""
    if model in ("two states", "common factor"):
        rate = EVENT_BY_STATE[rarer.astype(np.int64)]
    elif model == "ICC .02":
        size = 1.0 / ICC - 1.0
        rate = rng.beta(EVENT * size, (1.0 - EVENT) * size, rarer.shape)
    else:
        rate = np.full(rarer.shape, EVENT)
    events = rng.binomial(draws, rate)
    own = np.where(rarer, rng.binomial(draws, OWN_ANSWER, rarer.shape), 0)
    return Draws(events, own, rng.binomial(draws, STRAY, rarer.shape), rarer)
