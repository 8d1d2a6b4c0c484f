"""Scorers: answers in, scores out; pure functions without input, output, clock or chance.

A family of channels is one entry of SCORERS; channels with a `derived_from` have no scorer, the
fold makes them of another channel's history. To add a family, write a module with a `judge`
function, describe its channels in `channels`, and enter it here. Scorers of other packages are
not looked for: channels have to be in the one table that configuration, fold and metrics read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from qualmon.scorers import answers, code, copy, draws, finish, logprobs, scripts, tokens
from qualmon.scorers.case import Case, Scorer, event, unjudged
from qualmon.scorers.channels import CHANNELS, channels_of, derived, is_derived
from qualmon.scorers.unicode_scripts import resolve_scripts

#: Family name to the scorer that judges its channels.
SCORERS: Final[Mapping[str, Scorer]] = MappingProxyType(
    {
        "script": Scorer(channels_of("script"), scripts.judge),
        "token": Scorer(channels_of("token"), tokens.judge),
        "logprob": Scorer(channels_of("logprob"), logprobs.judge),
        "code": Scorer(channels_of("code"), code.judge),
        "copy": Scorer(channels_of("copy"), copy.judge),
        "answer": Scorer(channels_of("answer"), answers.judge),
        "draw": Scorer(channels_of("draw"), draws.judge),
        "finish": Scorer(channels_of("finish"), finish.judge),
    }
)

__all__ = [
    "CHANNELS",
    "SCORERS",
    "Case",
    "Scorer",
    "channels_of",
    "derived",
    "event",
    "is_derived",
    "resolve_scripts",
    "unjudged",
]
