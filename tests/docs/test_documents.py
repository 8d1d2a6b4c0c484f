"""Documents hang together: links resolve, named files exist, nothing names a private machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Split, so that this file does not hold them.
FORBIDDEN = [
    re.compile(pattern)
    for pattern in (
        "pypi" + r"\.org",
        "python" + "hosted",
        r"/opt/" + "pypi",
        r"(?<![\w./])/ro" + r"ot\b",
        r"(?<![\w./])/wo" + r"rk/",
        r"registry\.[a-z]+\." + "(org|io|com)",
    )
]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
NAMED_FILE = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|md|yaml|txt|toml))`")
PIN = re.compile(r"[a-z0-9._-]+==[\w.!+]+( ; [\w .'<>=!]+)?")
HEADINGS = ("**Decision.**", "**Against.**", "**Why.**", "**What would change our mind.**")
ADRS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def tracked() -> list[Path]:
    """Files of the repository; skips outside a checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def documents() -> Iterator[Path]:
    """Markdown of the repository, without what environments and caches hold."""
    for folder in (ROOT, ROOT / "docs", ROOT / "probes"):
        yield from (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))


@pytest.mark.parametrize("path", sorted(documents()), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_resolve(path: Path) -> None:
    """Every relative link leads to a file or folder."""
    links = [link.partition("#")[0] for link in LINK.findall(path.read_text())]
    here = [link for link in links if link and "://" not in link]
    assert [link for link in here if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/statistics.md"])
def test_files_named_in_documents_exist(name: str) -> None:
    """From the top, or from the package; capitals stand for a name of one's own."""
    named = NAMED_FILE.findall((ROOT / name).read_text())
    fixed = [file for file in named if not re.search("NAME|FAMILY|NNNN", file)]
    assert fixed
    places = (ROOT, ROOT / "qualmon", (ROOT / name).parent)
    assert [file for file in fixed if not any((place / file).exists() for place in places)] == []


def test_architecture_is_short_and_has_the_layers_of_the_linter() -> None:
    """At most 150 lines; the same parts in the same order as import-linter checks."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.splitlines()) <= 150
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = re.findall(r"\w+", " ".join(contracts["contracts"][0]["layers"]))
    there = [name for name in layers if list((ROOT / "qualmon").glob(f"{name}*"))]
    block = text.split("## Layers", 1)[1].split("```")[1].strip()
    drawn = [re.findall(r"\w+", line.split("  ")[0]) for line in block.splitlines()]
    assert [name for line in drawn for name in line] == there


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_decisions_are_listed_and_complete(path: Path) -> None:
    """Each page has the four headings, its number, and a line in the list."""
    text = path.read_text()
    assert text.startswith(f"# {path.name[:4]} ")
    assert [heading for heading in HEADINGS if heading not in text] == []
    title = text.splitlines()[0].removeprefix(f"# {path.name[:4]} ")
    assert (
        f"| [{path.name[:4]}]({path.name}) | {title} |" in (path.parent / "README.md").read_text()
    )


def test_decisions_are_numbered_without_gaps() -> None:
    """From 0001 on."""
    assert [int(path.name[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


def test_nothing_names_a_private_machine_or_a_package_registry() -> None:
    """In any tracked file, whatever its kind."""
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path.is_file()
        for text in [path.read_text(errors="replace")]
        for pattern in FORBIDDEN
        for match in pattern.finditer(text)
    ]
    assert found == []


def test_constraints_hold_names_and_versions_only() -> None:
    """No addresses, no paths, no options, not the project itself."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(lines) > 30
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    assert not any(line.startswith("qualmon") for line in lines)


def test_ci_can_be_run() -> None:
    """It is executable, and stops at the first failure."""
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in (ROOT / ".ci" / "run").read_text()
