"""Channel answer.wrong: does the answer hold the expected value?"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from qualmon.scorers import patterns
from qualmon.scorers.case import Case, event, unjudged
from qualmon.scorers.channels import CHANNELS
from qualmon.scorers.finish import is_cut_off
from qualmon.types import Score

_WRONG: Final = CHANNELS["answer.wrong"]
_FORMS: Final = "text|number|regex|any"
_DIGITS: Final = "0123456789"
#: Longest number that is read, in characters.
MAX_NUMBER: Final = 256
#: An optional sign, digits with or without commas between thousands, a fraction, an exponent.
#: Not the digits of a name such as m2, nor a minus that subtracts.
_NUMBER: Final = re.compile(
    r"(?:(?<![A-Za-z0-9_)])[-+\u2212])?"
    r"(?<![A-Za-z0-9_])"
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]{1,4}(?![0-9]))?"
)

#: Whether a trimmed answer is right.
Test = Callable[[str], bool]


def judge(case: Case) -> Iterator[Score]:
    """answer.wrong: the answer is not the expected one, by `reading`.

    A cut-off answer is not judged, since finish.length has it already; at ``max_tokens: 1``
    the limit ends every answer, and then what there is is judged. A refusal, or an empty
    answer that ended by itself, is wrong.
    Catches: wrong results of any cause. Blind to: a right answer for wrong reasons.
    Source: postmortem of 2025-09, bugs 2 and 3.
    """
    expected = case.probe.expect.answer
    text = case.completion.text.strip()
    if expected is None:
        yield unjudged(_WRONG, "the probe states no expect.answer")
        return
    if is_cut_off(case.completion) and not (text and case.sampler.get("max_tokens") == 1):
        yield unjudged(_WRONG, "the token limit cut the answer off")
        return
    try:
        right = reading(expected)(text)
    except ValueError as error:
        yield unjudged(_WRONG, f"expect.answer: {error}"[:300])
        return
    yield event(_WRONG, not right, None if right else _shown(text))


def _shown(text: str) -> dict[str, Any]:
    """The answer's start and end in printable ASCII, and its length."""
    ends = text if len(text) <= 64 else f"{text[:30]} ... {text[-30:]}"
    return {"text": ascii(ends)[1:-1], "length": len(text)}


def reading(expected: Any) -> Test:
    """The test that `expected` (a probe's expect.answer) stands for.

    A string is the whole answer, trimmed. A number is the last number of the answer (42.0,
    1,234, -5 and 1e3 are read). ``{text: ..}`` and ``{number: ..}`` say the same;
    ``{regex: ..}`` is found in the answer's end (qualmon.scorers.patterns); ``{any: [..]}``
    lists several of these, one of which has to be right.
    Raises ValueError with a remedy for anything else.
    """
    if isinstance(expected, Mapping) and set(expected) == {"any"}:
        return _any(expected["any"])
    return _single(expected)


def _any(choices: Any) -> Test:
    if not isinstance(choices, list | tuple) or not choices:
        raise ValueError(f"any is {_brief(choices)}; write a list of texts, numbers or mappings")
    tests = [_single(choice) for choice in choices]
    return lambda text: any(test(text) for test in tests)


def _single(expected: Any) -> Test:
    if isinstance(expected, str):
        return _text(expected)
    if isinstance(expected, int | float):
        return _number(expected)
    if isinstance(expected, Mapping) and len(expected) == 1:
        ((form, value),) = expected.items()
        if form in _READERS:
            return _READERS[form](value)
    raise ValueError(f"{_brief(expected)} cannot be read; write a text, a number, {{{_FORMS}: ..}}")


def _text(wanted: Any) -> Test:
    if not isinstance(wanted, str) or not wanted.strip():
        raise ValueError(f"{_brief(wanted)} is no text; write one in quotes")
    exact = wanted.strip()
    return lambda text: text == exact


def _number(wanted: Any) -> Test:
    whole = isinstance(wanted, int) and not isinstance(wanted, bool)
    if not whole and not (isinstance(wanted, float) and math.isfinite(wanted)):
        raise ValueError(f"{_brief(wanted)} is no number; write one without quotes")
    exact = Decimal(wanted) if whole else Decimal(repr(wanted))
    return lambda text: last_number(text) == exact


def _regex(wanted: Any) -> Test:
    if isinstance(wanted, str):
        return patterns.compiled(wanted).found_in
    raise ValueError(f"{_brief(wanted)} is no regular expression; write it in quotes")


def _brief(value: Any) -> str:
    try:
        return f"{value!r:.60}"
    except ValueError:  # an integer too long to print
        return "a number of thousands of digits"


_READERS: Final[Mapping[str, Callable[[Any], Test]]] = {
    "text": _text,
    "number": _number,
    "regex": _regex,
}


def last_number(text: str) -> Decimal | None:
    """The last number of a text, exactly; None where there is none.

    Digits are those of ASCII. Only MAX_NUMBER characters up to the last digit are looked at.
    """
    end = 1 + max(text.rfind(digit) for digit in _DIGITS)
    found = [match.group() for match in _NUMBER.finditer(text, max(0, end - MAX_NUMBER), end)]
    return Decimal(found[-1].replace(",", "").replace("\u2212", "-")) if found else None
