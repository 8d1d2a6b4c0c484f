"""script.*: what counts as a wrong script, and what does not."""

from __future__ import annotations

import pytest

from qualmon.errors import UnknownNameError
from qualmon.scorers import SCORERS, Case, resolve_scripts
from qualmon.scorers.generate_script_table import render
from qualmon.scorers.script_table import UNICODE_VERSION
from qualmon.scorers.unicode_scripts import table
from qualmon.testing.answers import sample_probe
from qualmon.types import Completion, Message, Probe, Score

CHANNELS = tuple(info.name for info in SCORERS["script"].channels)

#: English as documentation has it: typographic marks, units, names, mathematics, emoji.
ENGLISH = (
    "The naïve café’s “résumé” — it cost €5 (≈ £4½), i.e. 3 × 10⁻⁶ m² at 20 °C…\n",
    "ls [OPTION]... [FILE]...\n\tList information about the FILEs.\r\n\fPage 2\v\n",
    "½ ℃ № ™ © ® § ¶ • ‣ → ⇒ ≤ ≠ ∑ ∞ √ ∂ ℝ 𝐱 𝔸 𝕏 ① ⅷ ª º",
    "Let Δt be 5 µs and R = 3 kΩ; then sin θ < π, χ² = 4, λx.x, 2πr, Δx, μm, ρgh, hν.",
    "Fine 👍🏽 👩‍💻 🏳️‍🌈 🇩🇪 ☕️ ✓ 〰️ ㊗️ — l’été, El Niño, Dvořák, Łódź, straße, Þór, e\u0301",
    "a·b ʼn ‘quoted’ «guillemets» no\u00a0break thin\u2009space zero\u200bwidth\ufeff soft\u00ad",
)

#: One character of each of twenty scripts.
LETTERS = {
    "Arab": "ع", "Armn": "ա", "Beng": "ক", "Cher": "Ꭰ", "Cyrl": "ж", "Deva": "क", "Ethi": "አ",
    "Geor": "ა", "Gujr": "ક", "Hang": "한", "Hani": "译", "Hebr": "ש", "Hira": "あ", "Kana": "ア",
    "Khmr": "ក", "Laoo": "ກ", "Mymr": "က", "Taml": "க", "Thai": "ก", "Tibt": "ཀ",
}  # fmt: skip


def ask(prompt: str = "Explain the moon.", scripts: tuple[str, ...] | None = ("Latn",)) -> Probe:
    """A probe with this prompt and these expected scripts."""
    probe = sample_probe(CHANNELS, scripts=scripts)
    return Probe("p", "s", "1", (Message("user", prompt),), CHANNELS, expect=probe.expect)


def judged(text: str, probe: Probe | None = None) -> dict[str, Score]:
    """Scores by the part after the dot."""
    case = Case(probe or ask(), Completion(text, "stop"), {})
    return {score.channel.split(".")[1]: score for score in SCORERS["script"].judge(case)}


def hits(text: str, probe: Probe | None = None) -> set[str]:
    """Channels that call the text bad."""
    return {name for name, score in judged(text, probe).items() if score.value == 1.0}


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_clean(text: str) -> None:
    """Typography, units, single Greek letters and emoji are no other script."""
    assert hits(text) == set()


@pytest.mark.parametrize("code", LETTERS)
def test_one_code_point_of_any_script_is_found(code: str) -> None:
    """script.char sees a single letter and names its script and place."""
    score = judged(f"The answer {LETTERS[code]} is clear.")["char"]
    assert score.value == 1.0
    assert score.detail["first"] == 11
    assert list(score.detail["scripts"]) == [code]


def test_run_needs_two_in_a_row() -> None:
    """One letter is script.char alone; a letter with its mark is a run."""
    assert hits("the 译 word 译 twice") == {"char"}
    assert hits("the 翻译 word") == {"char", "run"}
    assert hits("in กำ thai") == {"char", "run"}


def test_inherited_mark_belongs_to_the_letter_before() -> None:
    """A mark of no script of its own prolongs a foreign run and follows a Latin letter freely."""
    assert "run" in hits("ж\u20dd")
    assert hits("a\u20dd") == set()


def test_two_greek_letters_are_a_word() -> None:
    """A lone Greek letter is mathematics; two in a row are Greek."""
    assert hits("the angle θ is small") == set()
    assert hits("the λό is") == {"char", "run"}


def test_cjk_full_stop_is_found_by_extensions_and_width() -> None:
    """U+3002 is Common by Script, and CJK by Script_Extensions."""
    assert hits("It works。") == {"char", "width"}
    assert hits("It works，yes") == {"width"}
    assert hits("ｆｕｌｌ") == {"width"}


def test_width_is_silent_where_cjk_is_expected() -> None:
    """Full-width punctuation is right in Japanese."""
    score = judged("これは、正しい。", ask(scripts=("Jpan",)))
    assert score["width"].value is None
    assert hits("これは、正しいPython言語です。", ask(scripts=("Jpan",))) == set()


@pytest.mark.parametrize(
    "word", ["раypal", "pаypal", "cοmpute", "Αpple", "hеllo", "wordเ", "ab한cd"]
)
def test_a_word_of_mixed_scripts_is_found(word: str) -> None:
    """One foreign letter inside a word is a homoglyph, Greek twins included."""
    assert "word" in hits(f"the {word} text")


def test_mixed_word_is_found_where_both_scripts_are_expected() -> None:
    """Russian and English may stand side by side, not in one word."""
    both = ask("Напиши по-русски and in English.", ("Cyrl", "Latn"))
    assert hits("Это код for web-сайт", both) == set()
    assert hits("Это сode", both) == {"word"}


@pytest.mark.parametrize(
    "text",
    ["a\ufffdb", "a\udc00", "nul\x00", "esc\x1b[0m", "\x7f", "c1\x9f", "\ue000",
     "\U0010fffe", "\ufdd0", "\U000e0fff", "\u0378"],
)  # fmt: skip
def test_broken_text_is_corrupt(text: str) -> None:
    """U+FFFD, surrogates, controls, private use and unassigned code points."""
    assert hits(text) == {"corrupt"}


def test_scripts_and_code_points_of_the_prompt_are_allowed() -> None:
    """A probe that shows a kanji and a mark may get both back."""
    probe = ask("Explain the kanji 水 and the mark 〜 and \ufffd.")
    assert hits("The kanji 水 or 火 ... 〜 \ufffd", probe) == set()
    assert hits("The kanji вода", probe) == {"char", "run"}


def test_nothing_is_judged_without_expected_scripts() -> None:
    """No expectation, no verdict."""
    scores = judged("жук", ask(scripts=None)).values()
    assert all(score.value is None and score.detail["reason"] for score in scores)


def test_unknown_script_is_a_reason_not_a_crash() -> None:
    """A probe that was never checked does not break scoring."""
    score = judged("text", ask(scripts=("Latim",)))["char"]
    assert score.value is None
    assert "Latim" in score.detail["reason"]


def test_latin_is_unexpected_where_nothing_shows_it() -> None:
    """ASCII is not clean by itself."""
    probe = ask("что это?", ("Cyrl",))
    assert hits("это moon", probe) == {"char", "run"}


def test_names_resolve() -> None:
    """Codes, long names and composites, in any case."""
    assert resolve_scripts(["Latn", "latin", "LATN"]) == {"Latn"}
    assert resolve_scripts(["Old Italic", "Han"]) == {"Ital", "Hani"}
    assert resolve_scripts(["Jpan"]) == {"Hani", "Hira", "Kana"}
    assert resolve_scripts([]) == frozenset()


@pytest.mark.parametrize("name", ["Latim", "", "Zzzz", "en", "Unknown"])
def test_unknown_name_is_named(name: str) -> None:
    """The error repeats the name and says what to write."""
    with pytest.raises(UnknownNameError, match="ISO 15924") as caught:
        resolve_scripts(["Latn", name])
    assert repr(name) in str(caught.value)


def test_table_is_what_the_generator_writes() -> None:
    """The committed table equals fontTools' data, code point by code point."""
    from fontTools.unicodedata import script_extension

    from qualmon.scorers import script_table

    assert int(UNICODE_VERSION.split(".")[0]) >= 17
    assert script_table.RANGES in render()
    for point in range(0xA0, 0x110000, 37):
        if point != 0xFFFD:
            assert table().of(chr(point)) == script_extension(chr(point)), hex(point)


def test_long_answer_keeps_offsets() -> None:
    """Chunks do not lose or move hits."""
    text = "a" * 200_000 + "ж" * 3 + "é" * 100_000
    score = judged(text)["run"]
    assert score.detail | {"scripts": 0, "code_points": 0} == {
        "first": 200_000, "count": 3, "longest": 3, "scripts": 0, "code_points": 0,
    }  # fmt: skip
