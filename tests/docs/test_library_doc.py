"""docs/statistics/library.md: every module is on it, and its example prints what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "statistics" / "library.md").read_text("utf-8")


def test_every_module_of_the_library_is_listed() -> None:
    """A module that is not on the page, or a line without its module, is an error."""
    library = ROOT / "qualmon" / "stats"
    modules = {
        ".".join(path.relative_to(library).with_suffix("").parts)
        for path in library.rglob("*.py")
        if path.stem != "__init__"
    }
    assert set(re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE)) == modules


def test_the_example_prints_what_the_page_says() -> None:
    """The page's Python block, run as it stands."""
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    said = re.search(r"prints `([^`]*)`", PAGE)
    assert block
    assert said
    done = subprocess.run(
        [sys.executable, "-c", block[1]], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == said[1]
