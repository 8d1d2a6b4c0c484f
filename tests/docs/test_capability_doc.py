"""The page on routes without log-probabilities knows every state, and so do pages and metrics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from qualmon.metrics import SPECS
from qualmon.types import Capability
from qualmon.web.words import capability_words

PAGE = (Path(__file__).parents[2] / "docs/howto/routes-without-logprobs.md").read_text("utf-8")


def test_every_state_has_its_row_its_words_and_its_place_in_the_help() -> None:
    """And the page has no row beside them."""
    states = set(get_args(Capability))
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == states
    for state in states:
        assert capability_words(state) != state
        assert state in SPECS["qualmon_capability"].help
    assert capability_words("from a newer version") == "from a newer version"
