"""load() answers every file with a Config or a ConfigError, whatever stands in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qualmon.config import load, load_suite, schema, template
from qualmon.errors import ConfigError, Problem
from qualmon.resources import data_path

BASE = template()
SUITE = (data_path("probes") / "core.yaml").read_text("utf-8").split("\n\n  - id")[0]
KEYS = sorted({*schema()["properties"], *(k for d in schema()["$defs"].values()
                                          for k in d.get("properties", {}))})  # fmt: skip
PIECES = st.sampled_from(
    ["", " ", "\n", "  ", "\t", "- ", ": ", "{", "}", "[", "]", "&a ", "*a", "!!set ", "'", '"',
     "|", ">-", "---\n", "...", "#", "%", "@", "\0", "\x85", "\ufeff", "null", "true", "-1",
     "1e309",
     "9" * 40]
) | st.sampled_from(KEYS)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.text(max_size=20) | st.sampled_from(["5m", "https://x.example.com", "core", "m", "p"])
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)
FEW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples."""
    return tmp_path_factory.mktemp("config")


def answers(folder: Path, content: bytes) -> None:
    """Both readers take `content` without an unforeseen error; problems are located."""
    path = folder / "file.yaml"
    path.write_bytes(content)
    for reader in (lambda: load(path, {"OPENAI_API_KEY": "k"}), lambda: load_suite(path)):
        assert all(problem.line >= 1 and problem.message for problem in problems_of(reader))


def problems_of(reader: Callable[[], object]) -> tuple[Problem, ...]:
    """What a reader complains about, at least one thing, or nothing when it is content."""
    try:
        reader()
    except ConfigError as error:
        return error.problems or (Problem("", 0, "", ""),)
    return ()


@given(st.binary(max_size=200))
@FEW
def test_any_bytes(folder: Path, content: bytes) -> None:
    """Bytes of any kind are answered."""
    answers(folder, content)


@given(st.lists(PIECES, max_size=30))
@example(["targets", ": ", "!!set ", "{", "a", "}"])
@FEW
def test_yaml_like_text(folder: Path, pieces: list[str]) -> None:
    """Text made of YAML's own signs and of our keys is answered."""
    answers(folder, "".join(pieces).encode("utf-8", "surrogatepass"))


@given(st.sampled_from([BASE, SUITE]), st.data())
@FEW
def test_edited_files(folder: Path, text: str, data: st.DataObject) -> None:
    """A sound file with a few random edits is answered."""
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(start + data.draw(st.integers(0, 30)), len(text))
        text = text[:start] + data.draw(PIECES) + text[end:]
    answers(folder, text.encode("utf-8", "surrogatepass"))


@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=8))
@FEW
def test_any_tree_under_our_keys(folder: Path, tree: dict[str, Any]) -> None:
    """Values of any type under any known key are answered."""
    answers(folder, yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(st.sampled_from(["targets", "suites", "probes"]), st.lists(TREES, max_size=3), st.data())
@FEW
def test_any_tree_in_the_place_of_an_entry(
    folder: Path, section: str, entries: list[Any], data: st.DataObject
) -> None:
    """Entries of the lists may be anything, and single keys of a sound entry too."""
    tree = yaml.safe_load(SUITE if section == "probes" else BASE)
    entry = tree[section][0]
    entry[data.draw(st.sampled_from(sorted(entry)))] = data.draw(TREES)
    tree[section] += entries
    answers(folder, yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))
