"""An answer before it is written on a wire, and its tokens as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from qualmon.sim.sampler import Choice
from qualmon.sim.speaker import Finish
from qualmon.sim.step import Step


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with all that surrounds it.

    id: hex digits from which each wire makes its ids. created: Unix seconds. tops: alternatives
    to list per token, None for no log-probabilities. delay: seconds that it comes late.
    """

    id: str
    created: int
    model: str
    fingerprint: str
    prompt_tokens: int
    choices: Sequence[Choice]
    finish: Finish
    tops: int | None = None
    delay: float = 0.0

    def tokens(self) -> list[tuple[bytes, bytes]]:
        """Per token: its text, escaped and without quotes, and its log-probability entry.

        What a step's favourite needs is encoded once per step and used by every answer.
        """
        tops = -1 if self.tops is None else self.tops
        return [
            (index == 0 and step.wire.get(tops)) or _token(step, index, tops)
            for step, index in self.choices
        ]


def _token(step: Step, index: int, tops: int) -> tuple[bytes, bytes]:
    """Text and entry of one piece of a step; `tops` -1 means that no entry is needed."""
    entry = b"" if tops < 0 else b"{" + _fields(step, index) + _listed(step, tops)
    made = orjson.dumps(step.pieces[index])[1:-1], entry
    if index == 0:
        step.wire[tops] = made
    return made


def _listed(step: Step, tops: int) -> bytes:
    others = range(min(tops, len(step.pieces)))
    listed = b",".join([b"{" + _fields(step, other) + b"}" for other in others])
    return b',"top_logprobs":[' + listed + b"]}"


def _fields(step: Step, index: int) -> bytes:
    piece = step.pieces[index]
    fields = {
        "token": piece,
        "logprob": step.logprobs[index],
        "bytes": list(piece.encode("utf-8")),
    }
    return orjson.dumps(fields)[1:-1]
