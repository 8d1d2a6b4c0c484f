"""The registry: built-ins first, then entry points, and never a silent failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from qualmon.errors import PluginError, UnknownNameError
from qualmon.registry import find, names

BUILTIN = {"alpha": "built-in alpha"}


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with an installed package of plug-ins."""
    add_package(
        tmp_path,
        "demo",
        "alpha = demo_plugin:ALPHA\nbeta = demo_plugin:BETA\ngone = demo_plugin:NOTHING\n"
        "torn = demo_missing:X\n",
    )
    (tmp_path / "demo_plugin.py").write_text("ALPHA = 'theirs'\nBETA = 'plug-in beta'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def add_package(folder: Path, name: str, points: str) -> None:
    """What an installer leaves of a package with entry points of kind ``gadget``."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[qualmon.gadgets]\n{points}")


def test_builtin_wins(plugins: Path) -> None:
    """A package cannot replace what qualmon brings."""
    assert find("gadget", "alpha", BUILTIN) == "built-in alpha"


def test_entry_point_is_loaded(plugins: Path) -> None:
    """A name that is not built in comes from the package that offers it."""
    assert find("gadget", "beta", BUILTIN) == "plug-in beta"


def test_names_lists_both_and_loads_nothing(plugins: Path) -> None:
    """Even a package that cannot be loaded shows."""
    assert names("gadget", BUILTIN) == ("alpha", "beta", "gone", "torn")


@pytest.mark.parametrize(
    ("name", "cause"), [("gone", "AttributeError"), ("torn", "ModuleNotFoundError")]
)
def test_failing_plug_in_is_an_error(plugins: Path, name: str, cause: str) -> None:
    """It names the kind, the name, the place and the cause."""
    with pytest.raises(PluginError, match=f"gadget '{name}' at demo_.*{cause}"):
        find("gadget", name, BUILTIN)


def test_two_packages_of_one_name_are_an_error(plugins: Path) -> None:
    """Neither is taken at random."""
    add_package(plugins, "rival", "beta = rival_plugin:BETA\n")
    with pytest.raises(PluginError, match="claimed by demo_plugin:BETA, rival_plugin:BETA"):
        find("gadget", "beta", BUILTIN)


def test_unknown_name_lists_the_near_ones(plugins: Path) -> None:
    """The message says what would have been right."""
    with pytest.raises(UnknownNameError, match=r"gadget 'alpho'.*Use one of: alpha;"):
        find("gadget", "alpho", BUILTIN)
