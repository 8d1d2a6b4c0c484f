"""Every command as a user types it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import (
    Fleet,
    child,
    fleet,
    incidents,
    live_through,
    one_line,
    qualmon,
    service,
    targets,
    wait_until,
    write_config,
)
from servers import need

pytestmark = pytest.mark.e2e

FAULT = {"id": "f", "kind": "corruption", "node": "platform=aws", "rate": 0.1}


def answer(*words: str | Path, code: int = 0) -> dict[str, Any]:
    """The JSON object that a command answers."""
    done = qualmon(*words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A simulated fleet for all tests of this file."""
    with fleet(tmp_path_factory.mktemp("fleet"), "--seed", "8") as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, sim: Fleet) -> Path:
    """A configuration for the fleet, which is healthy."""
    sim.plant()
    return write_config(tmp_path, targets(sim.origin))


def demo(seed: int, *more: str) -> dict[str, Any]:
    """The demo in short: three hours of health, then a fault that nobody could overlook."""
    short = ("--onset", "12000", "--rate", "0.02", "--port", "0")
    return answer("demo", "--seed", str(seed), *short, *more)


def timeless(result: dict[str, Any]) -> dict[str, Any]:
    """The result without the fields that measure this machine."""
    return {key: value for key, value in result.items() if not key.startswith("wall_")}


def test_demo_finds_the_place() -> None:
    """A seed chooses the place; with one seed all but the wall clock is the same again."""
    first, second = demo(4711), demo(4711)
    assert timeless(first) == timeless(second)
    assert first["seed"] == 4711
    assert "wall_seconds" in first
    (fault,) = first["faults"]
    assert fault["node_correct"]
    assert fault["cause_correct"]
    assert fault["node"] == fault["planted_at"]
    assert fault["onset"] == 12000
    assert fault["detected_at"] == fault["onset"] + fault["delay_seconds"] > 12000
    assert 0 <= fault["share_low"] < fault["share"] < fault["share_high"] <= 1
    assert fault["requests"] > 0
    assert (first["false_pages"], first["false_tickets"]) == (0, 0)
    # A ticket says what it lacks for a page.
    assert (fault["severity"] == "page") == (not fault["reasons"])


def test_demo_at_another_place() -> None:
    """Another seed, one kind of hardware instead of a platform."""
    (fault,) = demo(90210, "--node", "hardware=gpu")["faults"]
    assert fault["node_correct"]
    assert fault["node"] == "hardware=gpu"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--fault", "gremlin"), "corruption"),
        (("--node", "platform=moon"), "aws"),
        (("--onset", "-1"), "onset"),
    ],
)
def test_demo_refuses_what_there_is_not(words: tuple[str, str], hint: str) -> None:
    """Exit 2 and the alternatives in one line."""
    assert hint in one_line(qualmon("demo", *words), 2)


def test_init_then_check(tmp_path: Path) -> None:
    """What `init` writes, `check` accepts once the key is there."""
    assert "qualmon check" in qualmon("init", tmp_path / "new").stdout
    path = tmp_path / "new/qualmon.yaml"
    done = qualmon("check", "-c", path, "--json", environ={"OPENAI_API_KEY": "sk-e2e-secret"})
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert found["per_day"]["requests"] > 0
    assert "sk-e2e-secret" not in done.stdout
    assert qualmon("init", tmp_path / "new").returncode == 2


def test_check_tells_every_mistake(config: Path) -> None:
    """Exit 2, one line for each, as `file:line: path: what`; as JSON the same."""
    text = config.read_text().replace("burn_in: 0s", "burn_in: soon").replace("drain", "drian")
    config.write_text(text.replace("every: 1s", "every: 10ms"))
    done = qualmon("check", "-c", config)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["burn_in", "drian", "suites[0].every"]
    assert all(line.startswith(f"{config}:") for line in lines)
    errors = answer("check", "-c", config, code=2)["errors"]
    assert [error["path"] for error in errors] == ["burn_in", "drian", "suites[0].every"]


def test_probe_by_what_comes_back(config: Path, sim: Fleet) -> None:
    """0 from a healthy fleet, 1 when an invariant is broken, with every score."""
    healthy = answer("probe", "-c", config, "--target", "m-small/*", "--no-store")
    assert len(healthy["observations"]) == 6 * 4
    assert not (config.parent / "qualmon.db").exists()
    for observation in healthy["observations"]:
        assert observation["failure"] is None
        assert {score["channel"] for score in observation["scores"]} >= {"script.run"}
    sim.plant(FAULT | {"rate": 1.0})
    broken = answer("probe", "-c", config, "--target", "m-small/aws/*", "--probe", "p1", code=1)
    assert [o["target"] for o in broken["observations"]] == [
        "m-small/aws/default",
        "m-small/aws/batch",
    ]
    table = qualmon("probe", "-c", config, "--probe", "p1", "--no-store")
    assert table.returncode == 1
    assert "script.run" in table.stdout
    assert "m-nothing" in one_line(qualmon("probe", "-c", config, "--target", "m-nothing"), 2)
    assert answer("db", "check", "-c", config)["problems"] == []


def test_probe_without_an_answer(tmp_path: Path) -> None:
    """4 when nobody listens, with the failure of each."""
    config = write_config(tmp_path, targets("http://127.0.0.1:9"))
    found = answer("probe", "-c", config, "--probe", "p1", code=4)
    assert {o["failure"]["kind"] for o in found["observations"]} == {"connect"}


def test_an_incident_from_the_store_alone(config: Path, sim: Fleet) -> None:
    """list, show, explain, ack; resolve takes effect with the next round; db stays sound."""
    live_through(config)
    sim.plant(FAULT)
    with service(config) as (running, url):
        wait_until(lambda: incidents(url), "an incident")
        assert answer("db", "rebuild", "--verify", "-c", config)["equal"]
        assert running.stop() == 0
    (incident,) = answer("incidents", "list", "-c", config)["incidents"]
    key = incident["id"]
    assert incident["scope"] == "platform=aws"
    assert key in qualmon("incidents", "list", "-c", config).stdout
    assert answer("incidents", "show", key, "-c", config)["incident"]["id"] == key
    assert "inc-none" in one_line(qualmon("incidents", "show", "inc-none", "-c", config), 2)

    told = answer("explain", key, "-c", config)
    assert told["tests"]
    assert told["examples"]
    assert told["history"][-1]["after"] == "firing"
    assert "blind to" in qualmon("explain", key, "-c", config).stdout

    assert answer("incidents", "ack", key, "-c", config, "--by", "ann")["by"] == "ann"
    assert "ann" in qualmon("incidents", "show", key, "-c", config).stdout
    answer("incidents", "resolve", key, "-c", config, "--by", "ann", "--note", "rolled back")
    sim.plant()
    with service(config) as (running, url):
        wait_until(lambda: incidents(url)[0]["resolved_at"], "the end of the incident")
        assert running.stop(signal.SIGINT) == 0
    assert qualmon("incidents", "list", "-c", config).stdout == "no open incidents\n"
    assert len(answer("incidents", "list", "--all", "-c", config)["incidents"]) == 1

    assert answer("db", "check", "-c", config)["problems"] == []
    upgraded = answer("db", "upgrade", "-c", config)
    assert upgraded["before"] == upgraded["after"]
    rebuilt = answer("db", "rebuild", "-c", config)
    assert rebuilt["equal"]
    assert rebuilt["rounds"] > 3


def test_rules_are_for_prometheus(tmp_path: Path) -> None:
    """promtool takes what is printed and what is written; the operator's form is another."""
    need("promtool")
    printed = qualmon("rules")
    (tmp_path / "rules.yaml").write_text(printed.stdout)
    checked = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "rules.yaml")], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    both = qualmon("rules", "--format", "prometheus,operator", "-o", tmp_path / "out")
    assert both.returncode == 0, both.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert "3h" in one_line(qualmon("rules", "--hold", "3h"), 2)


def test_sim_ends_cleanly(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM are its way out."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with child(tmp_path / f"{number.name}.log", "sim", "--port", "0") as running:
            running.wait_said("^ready: ")
            assert running.stop(number) == 0
            assert "Traceback" not in running.said


def test_ctrl_c_of_a_demo(tmp_path: Path) -> None:
    """Ends at once, without a traceback."""
    with child(tmp_path / "demo.log", "demo", "--port", "0") as running:
        running.wait_said("probing the healthy fleet")
        assert running.stop(signal.SIGINT) == 130
        assert "Traceback" not in running.said


def test_the_command_line_starts_fast() -> None:
    """Importing it costs at most 0.35 s of CPU, and nothing heavy comes along."""
    heavy = ("numpy", "scipy", "sqlalchemy", "aiohttp", "httpx", "pydantic", "uvicorn")
    code = (
        "import sys, time; start = time.process_time(); import qualmon.cli; "
        "print(time.process_time() - start, *sys.modules)"
    )
    words = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
        for _ in range(3)
    ]
    assert min(float(line[0]) for line in words) <= 0.35
    assert not set(heavy).intersection(words[0])


def test_version_and_help() -> None:
    """Every command is in the help."""
    assert qualmon("--version").stdout.startswith("qualmon ")
    text = qualmon("--help").stdout
    for name in (
        "demo",
        "init",
        "check",
        "run",
        "probe",
        "incidents",
        "explain",
        "sim",
        "rules",
        "db",
    ):
        assert name in text
