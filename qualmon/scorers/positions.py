"""Token positions as arrays: who was sampled, what was listed, and which cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qualmon.types import TokenLogprob, TopToken

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

#: Places of the sampled token that are no index into the list of alternatives.
ABSENT: Final = -1
UNKNOWN: Final = -2
#: What servers send for "very unlikely" in place of minus infinity.
SENTINEL: Final = -9999.0

_REPLACEMENT: Final = "\ufffd"
_REPLACEMENT_BYTES: Final = "\ufffd".encode()
#: Two entries of one token carry one number; two tokens that decode alike do not.
_SAME_NUMBER: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Positions:
    """The sampled tokens of one answer and their listed alternatives, T positions by K.

    sampled: (T,) log-probabilities of the sampled tokens, nats. top: (T, K) those of the
    alternatives in wire order, padded with -inf. listed: (T,) alternatives per position.
    place: (T,) column of the sampled token in `top`, ABSENT, or UNKNOWN where identities
    are ambiguous. doubled: (T,) whether one token is listed twice.
    """

    sampled: Floats
    top: Floats
    listed: Ints
    place: Ints
    doubled: Bools

    @property
    def judged(self) -> Bools:
        """(T,) positions with alternatives whose identity is certain."""
        return np.asarray((self.listed > 0) & (self.place != UNKNOWN))

    @property
    def rival(self) -> Floats:
        """(T,) log-probability of the most probable alternative; NaN counts as impossible."""
        clean = np.where(np.isnan(self.top), -np.inf, self.top)
        return np.asarray(clean.max(axis=1, initial=-np.inf))

    @property
    def own(self) -> Floats:
        """(T,) the sampled token's log-probability by its own entry where it has one, else
        as reported; the greater of the two where they differ, which never adds a violation."""
        rows = np.flatnonzero(self.place >= 0)
        own = self.sampled.copy()
        own[rows] = np.fmax(own[rows], self.top[rows, self.place[rows]])
        return own


def read_positions(tokens: Sequence[TokenLogprob]) -> Positions:
    """Arrays of an answer's token positions; an id tells tokens apart, else bytes, else text.

    Text serves only where it is unambiguous: a position is UNKNOWN when, without ids or
    bytes, a text among its tokens is empty, holds U+FFFD or is shared by two alternatives.
    Bytes that are empty or spell U+FFFD were made from such text and count as missing.
    """
    listed = np.fromiter((len(token.top) for token in tokens), np.int64, len(tokens))
    width = int(listed.max(initial=0))
    top = np.full((len(tokens), width), -np.inf)
    top[np.arange(width) < listed[:, None]] = [
        entry.logprob for token in tokens for entry in token.top
    ]
    found = [_identify(token) for token in tokens]
    return Positions(
        sampled=_floored(np.array([token.logprob for token in tokens], np.float64)),
        top=_floored(top),
        listed=listed,
        place=np.array([place for place, _ in found], np.int64),
        doubled=np.array([doubled for _, doubled in found], bool),
    )


def _floored(logprobs: Floats) -> Floats:
    logprobs[logprobs <= SENTINEL] = -np.inf
    return logprobs


def _identify(token: TokenLogprob) -> tuple[int, bool]:
    """Column of the sampled token among its alternatives, and whether a token is doubled."""
    top = token.top
    if token.id is not None:
        ids = [entry.id for entry in top]
        if None not in ids:
            return _column(token.id, ids), len(set(ids)) < len(ids)
    if token.bytes:
        spelt = [entry.bytes for entry in top]
        if all(spelt) and not _lossy(token.bytes, spelt):
            if len(set(spelt)) == len(spelt):
                return _column(token.bytes, spelt), False
            return UNKNOWN, _one_number_twice(top)
    return _by_text(token), False


def _column(key: Hashable, keys: Sequence[Hashable]) -> int:
    return keys.index(key) if key in keys else ABSENT


def _lossy(sampled: bytes, spelt: Sequence[bytes | None]) -> bool:
    return _REPLACEMENT_BYTES in b"\0".join((sampled, *filter(None, spelt)))


def _one_number_twice(top: Sequence[TopToken]) -> bool:
    numbers: dict[bytes | None, float] = {}
    for entry in top:
        earlier = numbers.get(entry.bytes)
        if earlier is not None and math.isclose(earlier, entry.logprob, abs_tol=_SAME_NUMBER):
            return True
        numbers[entry.bytes] = entry.logprob
    return False


def _by_text(token: TokenLogprob) -> int:
    texts = [entry.token for entry in token.top]
    everything = (token.token, *texts)
    if not all(everything) or len(set(texts)) < len(texts):
        return UNKNOWN
    if any(_REPLACEMENT in text for text in everything):
        return UNKNOWN
    place = _column(token.token, texts)
    return UNKNOWN if place == 0 and _pushed_one_out(token.top) else place


def _pushed_one_out(top: Sequence[TopToken]) -> bool:
    """Whether an improbable sampled token stands in front, as vLLM lists it.

    It then took the place of an alternative whose text may have been ambiguous. Skipping
    the position keeps the choice of positions independent of what was sampled, or worse
    for the evidence, never better.
    """
    return len(top) > 1 and top[0].logprob < top[-1].logprob
