"""`qualmon db upgrade` and `check` as a user calls them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import typer
from storage_kit import url_of
from typer.testing import CliRunner

from qualmon.cli import db
from qualmon.errors import StoreError


@pytest.fixture
def app() -> typer.Typer:
    """The two commands alone; turning errors into exit codes is the main program's work."""
    commands = typer.Typer()
    commands.command("upgrade")(db.upgrade)
    commands.command("check")(db.check)
    return commands


def test_upgrade_then_check(app: typer.Typer, tmp_path: Path) -> None:
    """From nothing to a sound store, told in words."""
    url = url_of(tmp_path)
    first = CliRunner().invoke(app, ["upgrade", "--store", url])
    assert (first.exit_code, first.output) == (0, f"{url}: empty -> 0001\n")
    again = CliRunner().invoke(app, ["upgrade", "--store", url])
    assert (again.exit_code, again.output) == (0, f"{url}: already at 0001\n")
    checked = CliRunner().invoke(app, ["check", "--store", url])
    assert (checked.exit_code, checked.output) == (0, f"{url}: sound\n")


def test_json(app: typer.Typer, tmp_path: Path) -> None:
    """Objects with fixed keys."""
    url = url_of(tmp_path)
    first = CliRunner().invoke(app, ["upgrade", "--store", url, "--json"])
    assert json.loads(first.output) == {"store": url, "before": None, "after": "0001"}
    checked = CliRunner().invoke(app, ["check", "--store", url, "--json"])
    assert json.loads(checked.output) == {"store": url, "problems": []}


def test_problems_exit_1(app: typer.Typer, tmp_path: Path) -> None:
    """Each on its line."""
    CliRunner().invoke(app, ["upgrade", "--store", url_of(tmp_path)])
    connection = sqlite3.connect(tmp_path / "qualmon.db")
    connection.execute("INSERT INTO epochs VALUES (1, 0.0, 'x', x'00')")
    connection.commit()
    connection.close()
    checked = CliRunner().invoke(app, ["check", "--store", url_of(tmp_path)])
    assert (checked.exit_code, checked.output) == (1, "epochs: 1 does not match its digest\n")


def test_no_store_is_a_failed_dependency(app: typer.Typer, tmp_path: Path) -> None:
    """Exit code 4 belongs to the error that the main program prints."""
    checked = CliRunner().invoke(app, ["check", "--store", url_of(tmp_path)])
    assert isinstance(checked.exception, StoreError)
    assert checked.exception.exit_code == 4


def test_the_configurations_store(app: typer.Typer, tmp_path: Path) -> None:
    """Without --store the configuration says which; its path starts at its folder."""
    config = tmp_path / "qualmon.yaml"
    config.write_text(
        "store: sqlite:///my.db\n"
        "targets: [{model: m, platform: p, route: r, provider: openai_chat,"
        " url: 'http://127.0.0.1:1/v1'}]\n"
        "suites: [{name: core, every: 5m, probes_per_round: 1}]\n"
    )
    done = CliRunner().invoke(app, ["upgrade", "-c", str(config)])
    assert done.exit_code == 0, done.exception
    assert (tmp_path / "my.db").exists()
