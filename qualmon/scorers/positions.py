"""Token positions as arrays: who was sampled, what was listed, and which cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qualmon.types import TokenLogprob, TopToken

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

#: Places of the sampled token that are no index into the list of alternatives.
ABSENT: Final = -1
UNKNOWN: Final = -2
DISPLACED: Final = -3
#: Positions, and alternatives at one position, that are looked at; the rest is ignored.
MAX_POSITIONS: Final = 1 << 14
MAX_LISTED: Final = 64
#: What servers send for "very unlikely" in place of minus infinity.
SENTINEL: Final = -9999.0

#: Tolerances: nats of disorder and sign, excess of probability.
SLACK: Final = 1e-6
MASS_SLACK: Final = 1e-3

_HUGE: Final = 50.0
_REPLACEMENT: Final = "\ufffd"
_REPLACEMENT_BYTES: Final = "\ufffd".encode()
#: Two entries of one token carry one number; two tokens that decode alike do not.
_SAME_NUMBER: Final = 1e-6


@dataclass(frozen=True)
class Positions:
    """The sampled tokens of one answer and their listed alternatives, T positions by K.

    sampled: (T,) log-probabilities of the sampled tokens, nats. top: (T, K) those of the
    alternatives in wire order, padded with -inf. listed: (T,) alternatives per position.
    place: (T,) column of the sampled token in `top`, ABSENT, UNKNOWN where identities are
    ambiguous, or DISPLACED where its text may be that of another, which it then pushed out
    of the list. doubled: (T,) whether one token is listed twice. textual: (T,) whether
    the sampled token came as text alone, without id and bytes.
    """

    sampled: Floats
    top: Floats
    listed: Ints
    place: Ints
    doubled: Bools
    textual: Bools

    @cached_property
    def judged(self) -> Bools:
        """(T,) positions with alternatives whose identity is certain."""
        return np.asarray((self.listed > 0) & (self.place >= ABSENT))

    @cached_property
    def rival(self) -> Floats:
        """(T,) log-probability of the most probable alternative; NaN counts as impossible."""
        return np.asarray(np.fmax.reduce(self.top, axis=1, initial=-np.inf))

    @cached_property
    def own(self) -> Floats:
        """(T,) the sampled token's log-probability by its own entry where it has one, else
        as reported; the greater of the two where they differ, which never adds a violation."""
        rows = np.flatnonzero(self.place >= 0)
        own = self.sampled.copy()
        own[rows] = np.fmax(own[rows], self.top[rows, self.place[rows]])
        return own

    @cached_property
    def overweight(self) -> Bools:
        """(T,) whether the listed probabilities, with the sampled one, exceed 1; not for NaN."""
        mass = _probability(self.top).sum(axis=1)
        mass += np.where(self.place == ABSENT, _probability(self.sampled), 0.0)
        return np.asarray(mass > 1.0 + MASS_SLACK)

    @cached_property
    def unsigned(self) -> Bools:
        """(T,) whether a log-probability is positive or not a number."""
        top = ~(self.top <= SLACK)  # NaN compares as false
        return np.asarray(~(self.sampled <= SLACK) | top.any(axis=1))


def read_positions(tokens: Sequence[TokenLogprob]) -> Positions:
    """Arrays of an answer's token positions; an id tells tokens apart, else bytes, else text.

    Text serves only where it is unambiguous: a position is UNKNOWN when, without ids or
    bytes, a text among its tokens is empty, holds U+FFFD or is shared by two alternatives.
    Bytes that are empty or spell U+FFFD were made from such text and count as missing.
    """
    tokens, widths = _bounded(tokens)
    listed = np.array(widths, np.int64)
    top = np.full((len(tokens), max(widths, default=0)), -np.inf)
    top[np.arange(top.shape[1]) < listed[:, None]] = [
        entry.logprob for token in tokens for entry in token.top
    ]
    found = _identify_all(tokens, widths)
    return Positions(
        sampled=_floored(np.array([token.logprob for token in tokens], np.float64)),
        top=_floored(top),
        listed=listed,
        place=np.array([place for place, _ in found], np.int64),
        doubled=np.array([doubled for _, doubled in found], bool),
        textual=np.array([token.id is None and not token.bytes for token in tokens], bool),
    )


def _bounded(tokens: Sequence[TokenLogprob]) -> tuple[Sequence[TokenLogprob], list[int]]:
    """What is looked at of a hostile answer, so that T by K stays small; its list lengths."""
    tokens = tokens[:MAX_POSITIONS]
    widths = [len(token.top) for token in tokens]
    if max(widths, default=0) > MAX_LISTED:
        tokens = [replace(token, top=token.top[:MAX_LISTED]) for token in tokens]
        widths = [len(token.top) for token in tokens]
    return tokens, widths


def _probability(logprobs: Floats) -> Floats:
    """exp without overflow."""
    return np.exp(np.minimum(logprobs, _HUGE))


def _floored(logprobs: Floats) -> Floats:
    logprobs[logprobs <= SENTINEL] = -np.inf
    return logprobs


def _identify_all(tokens: Sequence[TokenLogprob], widths: Sequence[int]) -> list[tuple[int, bool]]:
    """`identify` for each token, at half the cost where one kind of key serves them all."""
    keys, textual = _common_keys(tokens)
    if keys is None:
        return [identify(token) for token in tokens]
    found, end = list[tuple[int, bool]](), 0
    for token, width in zip(tokens, widths, strict=True):
        start, end = end + 1, end + 1 + width
        listed, key = keys[start:end], keys[start - 1]
        place = listed.index(key) if key in listed else ABSENT
        if len(set(listed)) < width or (textual and _pushed_out(token.top, place)):
            found.append(identify(token))
        else:
            found.append((place, False))
    return found


def _common_keys(tokens: Sequence[TokenLogprob]) -> tuple[Sequence[Hashable] | None, bool]:
    """Keys of every token and its alternatives in turn, None where no kind serves them all;
    and whether the keys are texts."""
    entries: list[Any] = [entry for token in tokens for entry in (token, *token.top)]
    if entries and entries[0].id is not None:
        ids = [entry.id for entry in entries]
        return (None if None in ids else ids), False
    spelt = [entry.bytes or b"" for entry in entries]
    if all(spelt):
        broken = _REPLACEMENT_BYTES in b"\0".join(spelt)
        return (None if broken or _any_id(entries) else spelt), False
    texts = [entry.token for entry in entries]
    whole = all(texts) and _REPLACEMENT not in "\0".join(texts)
    return (None if any(spelt) or not whole or _any_id(entries) else texts), True


def _any_id(entries: Sequence[Any]) -> bool:
    return [entry.id for entry in entries].count(None) < len(entries)


def identify(token: TokenLogprob) -> tuple[int, bool]:
    """Column of the sampled token among its alternatives, and whether a token is doubled."""
    top = token.top
    if token.id is not None:
        ids = [entry.id for entry in top]
        if None not in ids:
            return _column(token.id, ids), len(set(ids)) < len(ids)
    if token.bytes:
        spelt = [entry.bytes or b"" for entry in top]
        if all(spelt) and _REPLACEMENT_BYTES not in b"\0".join((token.bytes, *spelt)):
            if len(set(spelt)) == len(spelt):
                return _column(token.bytes, spelt), False
            return UNKNOWN, _one_number_twice(top)
    return _by_text(token), False


def _column(key: Hashable, keys: Sequence[Hashable]) -> int:
    return keys.index(key) if key in keys else ABSENT


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
    return DISPLACED if _pushed_out(token.top, place) else place


def _pushed_out(top: Sequence[TopToken], place: int) -> bool:
    """Whether the sampled token, at `place`, stands before more probable ones.

    vLLM puts an improbable one in front, in the place of the last alternative;
    llama-cpp-python lists by text, and lets it overwrite a more probable token of the same
    text where that one stood. Skipping the position keeps the choice of positions
    independent of what was sampled, or worse for the evidence, never better.
    """
    if place == 0:
        return top[0].logprob < top[-1].logprob
    return 0 < place < len(top) - 1 and top[place].logprob < top[place + 1].logprob
