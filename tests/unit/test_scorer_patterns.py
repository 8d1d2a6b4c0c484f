"""Patterns of bounded time: what they find, what they refuse, what they withstand."""

from __future__ import annotations

import re

import pytest

from qualmon.scorers.pattern_syntax import MAX_DEPTH, MAX_LENGTH
from qualmon.scorers.patterns import MAX_SEARCHED, MAX_STATES, compiled

PATTERNS = (
    "", "a", "a|b", "ab|", "a*", "a+b", "a??b", "(a|b)*c", "(?:ab)+$", "^a", "^$", r"\Aab\Z",
    r"\bab\b", r"a\b", r"\d+", r"[^a-c\s]", "[]a]", "[^]a]", r"[\]\-a]", "a{2}", "a{1,}b",
    "a{,2}c", "a{0}b", "a{2,3}?b", "(a*)*b", "(a*)+$", "(|a)+b", "(?P<name>a)b", r"\x61\u0062",
    r"\.\*", "a.b", "(?s)a.b", "(?i)AB", "(?im)^B$", "(?m)a$", "(?m)^b", r"a\Z", "]", "}", "\u00e9",
    r"\W", "(?i)\u0130", "(^a|b$)c?", "(?:^)*b", r"(?:\b)+a", "a$b", "(?m)a$\nb",
)  # fmt: skip
TEXTS = (
    "", "a", "b", "ab", "aab", "abc", "aaaa", "cab", "a b", "b ab c", "a\nb", "a\nb\n", "ab\n",
    "\n", "aB", "]", "}", "-", ".*", "3", "\u00e9", "\u0130", "i", "a_b", "bb", "ba", "\ud800",
    "a\rb", "c",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_means_what_it_means_to_re(pattern: str) -> None:
    """On every text."""
    for text in TEXTS:
        assert compiled(pattern).found_in(text) == bool(re.search(pattern, text)), text


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "not closed"), ("a)", "from '\\)' on"), ("*a", "cannot be read"), ("a**", "cannot"),
        ("[a", "cannot be read"), ("a{3,2}", "no regular expression"), ("a{x}", "cannot be read"),
        (r"(a)\1", "cannot be read"), ("(?=a)", "cannot be read"), ("(?!a)", "cannot be read"),
        ("(?<=a)b", "cannot be read"), ("(?>a)", "cannot be read"), ("a++", "possessive"),
        ("a(?i)b", "cannot be read"), ("(?x)a", "cannot be read"), (r"\B", "cannot be read"),
        (r"\Q", "cannot be read"), ("[z-a]", "no character class"), ("[[a]", "cannot be read"),
        ("[a&&b]", "cannot be read"), ("a{99999999999999999999}", "states|no regular"),
        (f"a{{{MAX_STATES + 1}}}", "states; repeat fewer"), ("(?:a{100}){100}", "states"),
        ("(?:(?:){9999}){9999}", "states"), ("a" * (MAX_LENGTH + 1), "write at most"),
        ("(" * (MAX_DEPTH + 1) + ")" * (MAX_DEPTH + 1), "nest fewer"), ("(?P<a>b)(?P<a>c)", "no"),
        ("^*", "no regular expression"), ("a{}", "cannot be read"), ("a\\", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_bounded_is_refused(pattern: str, told: str) -> None:
    """With a remedy."""
    with pytest.raises(ValueError, match=told):
        compiled(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b$", ".*.*.*.*=", "(?:a?){200}b", r"(\w+\s?)+$"]
)
def test_patterns_that_never_end_elsewhere_end_here(pattern: str) -> None:
    """An answer made against the pattern takes milliseconds."""
    assert compiled(pattern).found_in("a" * 5000 + "!") is False


def test_only_the_end_of_a_text_is_searched() -> None:
    """And the start of the answer stays its start."""
    text = "x" + "y" * MAX_SEARCHED
    assert not compiled("x").found_in(text)
    assert compiled("xy").found_in(text[:-1])
    assert not compiled("^y").found_in(text)
    assert not compiled(r"\by").found_in(text)
