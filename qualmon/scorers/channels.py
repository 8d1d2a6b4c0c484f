"""Every built-in channel in one table: what it catches, what it is blind to, how it may speak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from qualmon.types import ChannelInfo

_UNICODE: Final = "UAX #24 (Script_Extensions); postmortem of 2025-09, bug 2 (output corruption)"
_RESTRICTION: Final = "UTS #39 (mixed-script detection), applied to one word"
_REPORTED: Final = "the sampled token against its own reported log-probabilities"
_TOP_K: Final = "postmortem of 2025-09, bug 3 (approximate top-k drops the most probable token)"
_NO_LOGPROBS: Final = (
    "postmortem of 2025-09, bugs 2 and 3; stands in for token ranks where no log-probabilities"
    " are offered"
)
_FINISH: Final = "the wire protocol's finish reason"

_TABLE: Final = (
    ChannelInfo(
        name="script.run",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="two or more code points in a row of a script that the probe does not expect",
        blind_to="wrong words in the expected script; single code points",
        source=_UNICODE,
    ),
    ChannelInfo(
        name="script.char",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="any code point of a script that the probe does not expect",
        blind_to="wrong words in the expected script; lone Greek letters, which are mathematics",
        source=_UNICODE,
    ),
    ChannelInfo(
        name="script.word",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="a word that mixes scripts, such as one Cyrillic letter in a Latin word",
        blind_to="words that are wholly of another script",
        source=_RESTRICTION,
    ),
    ChannelInfo(
        name="script.width",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="CJK punctuation and full-width forms where no CJK script is expected",
        blind_to="anything else; silent where a CJK script is expected",
        source="UAX #11 (full-width forms); UAX #24 calls most of them Common",
    ),
    ChannelInfo(
        name="script.corrupt",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="U+FFFD, lone surrogates, private use, unassigned code points, control characters",
        blind_to="assigned characters, however wrong; tab, line and page breaks are lawful",
        source="Unicode general categories Cc, Cn, Co, Cs",
    ),
    ChannelInfo(
        name="token.rank",
        kind="event",
        null="baselined",
        catches="a sampled token that temperature 0, top_k or top_p forbids",
        blind_to="faults before the logits; samplers without a stated limit",
        source=_TOP_K,
    ),
    ChannelInfo(
        name="token.argmax",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="at temperature 0, a sampled token at least 1 nat below the most probable one",
        blind_to="faults before the logits; near ties; any temperature but 0",
        source=_TOP_K,
    ),
    ChannelInfo(
        name="token.drop",
        kind="e_value",
        null="self",
        catches="a sampler that drops the most probable token with a small probability",
        blind_to="faults before the logits; logprobs taken after the fault; unknown samplers",
        source=_TOP_K,
    ),
    ChannelInfo(
        name="logprob.order",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="alternatives that are not in descending order, or listed twice",
        blind_to="wrong values in the right order",
        source=_REPORTED,
    ),
    ChannelInfo(
        name="logprob.mass",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="alternatives whose probabilities add up to more than 1",
        blind_to="values that are too small",
        source=_REPORTED,
    ),
    ChannelInfo(
        name="logprob.own",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="a sampled token whose log-probability differs from its own entry in the list",
        blind_to="sampled tokens that the list does not hold",
        source=_REPORTED,
    ),
    ChannelInfo(
        name="logprob.sign",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="log-probabilities that are positive or not a number",
        blind_to="wrong values of the right sign",
        source=_REPORTED,
    ),
    ChannelInfo(
        name="code.fail",
        kind="event",
        null="invariant",
        bound=1e-2,
        catches="code in the asked language that does not compile",
        blind_to="code that compiles and is wrong; answers that hold no code or were cut off",
        source="postmortem of 2025-09, bug 2 (syntax errors in code)",
    ),
    ChannelInfo(
        name="code.outcome",
        kind="category",
        null="covariate",
        catches="a shift between code, no code, several blocks, cut-off answers",
        blind_to="what the code does",
        source="postmortem of 2025-09, bug 2; what is no syntax error stays out of code.fail",
    ),
    ChannelInfo(
        name="copy.exact",
        kind="event",
        null="invariant",
        bound=1e-2,
        catches="a verbatim copy that differs from the text to be copied",
        blind_to="how much it differs; answers that were cut off; a final newline",
        source=_NO_LOGPROBS,
    ),
    ChannelInfo(
        name="copy.edit",
        kind="bounded",
        null="baselined",
        catches="edits per character between the text to be copied and the answer",
        blind_to="answers that were cut off; a final newline; what the edits mean",
        source="Levenshtein distance (Myers 1999) over the longer text's length",
    ),
    ChannelInfo(
        name="answer.wrong",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="an answer that is not the expected text, number or pattern",
        blind_to="right answers for wrong reasons; answers that were cut off",
        source=_NO_LOGPROBS,
    ),
    ChannelInfo(
        name="draw.token",
        kind="category",
        null="baselined",
        catches="another share of the answers to a choice prompt: sampler, precision, model, pool",
        blind_to="changes that keep the share of every answer",
        source="frequencies of single-token draws; docs/statistics.md, Novelty",
    ),
    ChannelInfo(
        name="novelty.token",
        kind="event",
        null="invariant",
        bound=1e-3,
        catches="an answer never seen in a frozen reference of at least 30 sessions of this probe"
        " on this target",
        blind_to="other shares of the answers that the reference holds; prompts with a free tail",
        source="docs/statistics.md, Novelty; Good, Biometrika 40 (1953)",
        derived_from="draw.token",
    ),
    ChannelInfo(
        name="finish.length",
        kind="event",
        null="covariate",
        catches="answers cut off by the token limit",
        blind_to="answers that end early",
        source=_FINISH,
    ),
    ChannelInfo(
        name="finish.empty",
        kind="event",
        null="covariate",
        catches="answers without text, tool call or refusal",
        blind_to="answers with useless text",
        source=_FINISH,
    ),
)

#: Channel name to what it is, in the order in which pages list them.
CHANNELS: Final[Mapping[str, ChannelInfo]] = MappingProxyType({info.name: info for info in _TABLE})


def channels_of(family: str) -> tuple[ChannelInfo, ...]:
    """The built-in channels of a family, in table order; empty for an unknown family."""
    return tuple(info for info in CHANNELS.values() if info.family == family)


def derived(channels: Iterable[str]) -> tuple[str, ...]:
    """The channels that the fold derives from any of `channels`, in table order."""
    given = frozenset(channels)
    return tuple(info.name for info in CHANNELS.values() if info.derived_from in given)


def is_derived(channel: str) -> bool:
    """Whether the fold, and no scorer, gives this channel."""
    return channel in CHANNELS and CHANNELS[channel].derived_from is not None
