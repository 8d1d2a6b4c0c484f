"""kill -9 twenty times while it probes: nothing lost, nothing doubled, the fold is the log's."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from processes import (
    CHANNELS,
    child,
    fleet,
    incidents,
    live_through,
    qualmon,
    service,
    targets,
    wait_until,
    write_config,
)

pytestmark = pytest.mark.e2e

KILLS = 20
FAULT = {"id": "f", "kind": "corruption", "node": "platform=aws", "rate": 0.05}
#: Seconds after which a slot of this configuration is missed (10 s beyond its time-out).
DEADLINE = 11.0
REQUESTS = "SELECT sum(requests) FROM observations"
STATES = "SELECT state, reason, count(*) FROM slots GROUP BY state, reason"
OPEN_MEMBERS = """
    SELECT coalesce(sum(json_array_length(CAST(members AS TEXT))), 0) - (
        SELECT count(*) FROM observations JOIN slots USING (suite, model, idx)
        WHERE state = 'claimed' AND members IS NOT NULL)
    FROM slots WHERE state = 'claimed' AND members IS NOT NULL"""
STREAMS = "SELECT max(idx) - min(idx) + 1, count(*), count(DISTINCT idx) FROM slots GROUP BY model"
DOUBLED = """
    SELECT count(*) FROM observations
    GROUP BY suite, model, idx, target, probe, identity, rung HAVING count(*) > 1"""
#: Closed slots with members that were never observed, and how late they were closed.
GAPS = """
    SELECT idx, closed_at - due FROM slots
    WHERE state = 'closed' AND json_array_length(CAST(members AS TEXT)) <> (
        SELECT count(*) FROM observations o
        WHERE (o.suite, o.model, o.idx) = (slots.suite, slots.model, slots.idx))"""
SCORES = """
    SELECT outcome, (SELECT group_concat(channel) FROM scores WHERE observation_id = o.id)
    FROM observations o"""


def test_twenty_kills(tmp_path: Path, record_property: Any) -> None:
    """Every slot is closed or missed with a reason, every observation whole and there once."""
    draw = random.Random(7)
    database = tmp_path / "qualmon.db"
    pace = ("--seconds-per-token", "0.02")
    with fleet(tmp_path) as quick:
        live_through(write_config(tmp_path, targets(quick.origin, timeout="1s")))
    past = _ask(database, REQUESTS)[0][0]
    with fleet(tmp_path, "--seed", "3", *pace) as sim:
        config = write_config(tmp_path, targets(sim.origin, timeout="1s"))
        sim.plant(FAULT)
        with service(config) as (running, url):
            wait_until(lambda: incidents(url), "an incident, so that it is at stake too")
            running.kill()
        in_flight = _ask(database, OPEN_MEMBERS)[0][0]
        for number in range(1, KILLS):
            _one_life(config, draw.uniform(0.5, 3.0), wait=number % 3 == 0)
            in_flight += _ask(database, OPEN_MEMBERS)[0][0]
        died = time.monotonic()
        _is_sound(config)
        time.sleep(max(0.0, died + DEADLINE + 1.0 - time.monotonic()))
        with service(config) as (running, _):
            wait_until(lambda: _settled(database), "all slots of the past settled")
            assert running.stop() == 0
        calls = sim.answers
    _is_sound(config)
    accepted = _ask(database, REQUESTS)[0][0] - past
    told = {"calls": calls, "accepted": accepted, "in_flight_at_kills": in_flight}
    record_property("kills", told)
    print(told)
    assert accepted <= calls <= accepted + in_flight
    _nothing_lost(database)
    for log in ("sim.log", "run.log"):
        assert "Traceback" not in (tmp_path / log).read_text(), log


def _one_life(config: Path, seconds: float, *, wait: bool) -> None:
    """Runs and kills the service after `seconds`, counted from its start or its readiness."""
    with child(config.parent / "run.log", "run", "-c", config) as running:
        if wait:
            running.wait_said("pages and metrics at")
        time.sleep(seconds)
        assert running.process.poll() is None, running.said
        running.kill()


def _ask(database: Path, query: str) -> list[Any]:
    """Rows of a store whose process is dead; from a copy, for looking would repair it."""
    copy = database.with_name("copy.db")
    for suffix in ("", "-wal"):
        source, goal = Path(f"{database}{suffix}"), Path(f"{copy}{suffix}")
        goal.unlink(missing_ok=True)
        if source.exists():
            shutil.copy(source, goal)
    with closing(sqlite3.connect(copy)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        return connection.execute(query).fetchall() if ("scores",) in tables else [(0,)]


def _settled(database: Path) -> bool:
    """Whether a running service has finished the rounds that earlier lives left open."""
    open_ones = "SELECT count(*) FROM slots WHERE state IN ('due', 'claimed') AND due < ?"
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(open_ones, (time.time() - 3,)).fetchone() == (0,)


def _is_sound(config: Path) -> None:
    checked = qualmon("db", "check", "-c", config, "--json")
    assert (checked.returncode, json.loads(checked.stdout)["problems"]) == (0, [])
    rebuilt = qualmon("db", "rebuild", "--verify", "-c", config, "--json")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert json.loads(rebuilt.stdout)["equal"] is True


def _nothing_lost(database: Path) -> None:
    states = {(state, reason): count for state, reason, count in _ask(database, STATES)}
    print(states)
    assert set(states) == {("closed", None), ("missed", "not_running")}
    streams = _ask(database, STREAMS)
    assert len(streams) == 2
    for span, count, distinct in streams:
        assert span == count == distinct
    assert _ask(database, DOUBLED) == []
    for index, age in _ask(database, GAPS):
        assert age >= DEADLINE, f"slot {index} was closed after {age} s with members missing"
    for outcome, channels in _ask(database, SCORES):
        assert set((channels or "").split(",")) == (set(CHANNELS) if outcome == "ok" else {""})
    assert len(_ask(database, "SELECT id FROM incidents")) == 1
