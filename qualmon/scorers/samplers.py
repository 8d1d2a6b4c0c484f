"""Sampler settings of a request: which are stated, which are active, which are unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Sampler = Mapping[str, Any]

#: Settings that must be known before a sampled token can be held against its distribution.
#: Alternatives of one setting stand in one row; one of them is enough.
REQUIRED: Final = (
    ("temperature",),
    ("top_p",),
    ("top_k",),
    ("min_p",),
    ("typical_p",),
    ("presence_penalty",),
    ("frequency_penalty",),
    ("repeat_penalty", "repetition_penalty"),
    ("logit_bias",),
)
#: Settings that change the order of tokens, and so the argmax.
PENALTIES: Final = REQUIRED[5:]
#: Settings that keep the most probable token and only cut the tail.
TRUNCATIONS: Final = ("top_k", "top_p", "min_p")


_VAST: Final = 10**300


def _zero(value: float) -> bool:
    return value == 0


def _one(value: float) -> bool:
    return value == 1


_NUMERIC: Final[Mapping[str, Callable[[float], bool]]] = {
    "temperature": _one,
    "top_p": lambda value: value >= 1,
    "typical_p": lambda value: value >= 1,
    "top_k": lambda value: value <= 0,
    "min_p": lambda value: value <= 0,
    "repeat_penalty": _one,
    "repetition_penalty": _one,
    "tfs_z": _one,
    "best_of": _one,
    **dict.fromkeys(
        (
            "presence_penalty",
            "frequency_penalty",
            "mirostat",
            "mirostat_mode",
            "top_a",
            "xtc_probability",
            "dry_multiplier",
            "dynatemp_range",
            "smoothing_factor",
            "epsilon_cutoff",
            "eta_cutoff",
            "no_repeat_ngram_size",
            "min_tokens",
            "ignore_eos",
            "use_beam_search",
        ),
        _zero,
    ),
}
#: Constraints on what may be generated; each is neutral when empty.
_CONSTRAINTS: Final = (
    "logit_bias",
    "grammar",
    "json_schema",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "structured_outputs",
    "bad_words",
    "allowed_token_ids",
)


def stated_number(sampler: Sampler, name: str) -> float | None:
    """The stated value of a numeric setting; None where it is absent, null or no number."""
    value = sampler.get(name)
    if isinstance(value, int):
        value = max(-_VAST, min(_VAST, value))  # some integers fit in no float
    return float(value) if isinstance(value, int | float) and value == value else None


def active_settings(sampler: Sampler) -> tuple[str, ...]:
    """Names of stated settings that are not neutral, unreadable values included."""
    stated = {name: value for name, value in sampler.items() if value is not None}
    numeric = [name for name in stated if name in _NUMERIC and not _is_neutral(sampler, name)]
    return (*numeric, *(name for name in _CONSTRAINTS if stated.get(name)), *_formats(stated))


def _is_neutral(sampler: Sampler, name: str) -> bool:
    value = stated_number(sampler, name)
    return value is not None and _NUMERIC[name](value)


def _formats(stated: Sampler) -> tuple[str, ...]:
    wanted = stated.get("response_format")
    free = not wanted or (isinstance(wanted, Mapping) and wanted.get("type") == "text")
    return () if free else ("response_format",)


def unknown_settings(
    sampler: Sampler, required: tuple[tuple[str, ...], ...] = REQUIRED
) -> tuple[str, ...]:
    """Names of required settings that the request leaves to an unknown default."""
    if sampler.get("neutral") is True:
        return ()
    return tuple(names[0] for names in required if all(sampler.get(name) is None for name in names))


@dataclass(frozen=True, slots=True)
class Truncation:
    """How the tail of the distribution is cut: one of TRUNCATIONS at `limit`, or not at all."""

    name: str | None = None
    limit: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}={self.limit:g}" if self.name else "none"


def truncation_of(sampler: Sampler) -> Truncation | str:
    """The one truncation of a sampler that is else neutral at temperature 1.

    Returns the reason for refusing instead, where a setting is unknown, changes the
    distribution in a way that the listed alternatives cannot undo, or more than one cuts.
    """
    unknown = unknown_settings(sampler)
    if unknown:
        return f"unknown sampler settings: {', '.join(unknown)}"
    active = active_settings(sampler)
    if not active:
        return Truncation()
    limit = stated_number(sampler, active[0])
    if len(active) > 1 or active[0] not in TRUNCATIONS or limit is None:
        return f"sampler settings that cannot be undone: {', '.join(active)}"
    return Truncation(active[0], limit)
