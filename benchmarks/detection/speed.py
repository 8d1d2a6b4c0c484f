"""Speed: a step of a large fleet, one update of one stream, lines per second of the command.

Every figure is the minimum over repeats: what the machine can do when nothing else is in the
way. On a loaded machine even the minimum is too long, never too short.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from river.drift import ADWIN, KSWIN, PageHinkley

from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats import detector, scan
from qualmon.stats.detector import EVENTS, Design
from qualmon.stats.esr import Floats
from qualmon.stats.fleet import Fleet
from qualmon.stats.stream import Health, Stream, worth

STREAMS: Final = 100_000
#: Steps of one compiled scan: enough that its start does not count.
STEPS: Final = 20
RATE: Final = 0.01
#: The requirement is for nine bets; the shipped design has ten.
NINE: Final = Design(
    EVENTS.shares[:9], tuple(w / sum(EVENTS.weights[:9]) for w in EVENTS.weights[:9])
)
UPDATES: Final = 4000
TARGETS: Final = {"NumPy": 2.0, "JAX": 1.0}
LINES_PER_SECOND: Final = 150_000


def run(setting: Setting) -> Section:
    """Ratios to the targets, and the peers in the same run."""
    rng = np.random.default_rng(setting.seed)
    ratios = (rng.random((STEPS, STREAMS)) < RATE) / RATE
    repeats = 60 if setting.full else 15
    _assert_equal(ratios)
    steps = _steps(ratios, repeats)
    updates = _updates(setting.seed, 10 if setting.full else 3)
    lines = _lines(setting.seed, setting.full)
    return Section(
        "speed", tuple(_rows(steps, lines)), (*_tables(steps, updates), _of_lines(lines))
    )


def least(repeats: int, action: Callable[[], object]) -> float:
    """Seconds of the fastest of `repeats` calls."""
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - begun)
    return best


def _assert_equal(ratios: Floats) -> None:
    """What is timed computes what the detector computes: bit for bit, JAX within 1e-12."""
    fleet, state = Fleet(EVENTS, STREAMS, onsets=True), detector.init(EVENTS, (STREAMS,))
    for at, ratio in enumerate(ratios[:3]):
        state = detector.step(EVENTS, state, ratio, hours=1.0, at=float(at))
        fleet.step(ratio, at=float(at))
    assert np.array_equal(fleet.masses().mass, state.mass)
    assert np.array_equal(fleet.masses().moment, state.moment)
    zero = np.zeros((STREAMS, len(EVENTS.shares)))
    compiled, evidence = scan.fold(EVENTS, zero, ratios[:3], 1.0)
    np.testing.assert_allclose(compiled, state.mass, rtol=1e-12)
    np.testing.assert_array_equal(evidence[-1] >= 5.0, fleet.evidence >= 5.0)


def _steps(ratios: Floats, repeats: int) -> dict[tuple[str, int], float]:
    """Milliseconds a step by (way, bets)."""
    found = {}
    for design in (NINE, EVENTS):
        bets = len(design.shares)
        plain, dated = Fleet(design, STREAMS), Fleet(design, STREAMS, onsets=True)
        state = detector.init(design, (STREAMS,))
        arrays = partial(detector.step, design, state, ratios[0], hours=1.0, at=1.0)
        ways: dict[str, tuple[Callable[[], object], int, int]] = {
            "NumPy, in place": (partial(plain.step, ratios[0]), repeats, 1),
            "NumPy, in place, with onsets": (partial(dated.step, ratios[0], at=1.0), repeats, 1),
            "NumPy, detector.step": (arrays, 3, 1),
            "JAX, scan": (_scan(design, ratios), max(5, repeats // 4), STEPS),
        }
        for way, (action, times, steps) in ways.items():
            action()
            found[way, bets] = 1e3 * least(times, action) / steps
    return found


def _scan(design: Design, ratios: Floats) -> Callable[[], object]:
    import jax

    with jax.enable_x64(True):
        mass = jax.numpy.zeros((STREAMS, len(design.shares)))
        given = jax.numpy.asarray(ratios)

    def go() -> None:
        for part in scan.on_device(design, mass, given, 1.0):
            part.block_until_ready()

    return go


def _updates(seed: int, repeats: int) -> dict[str, float]:
    """Microseconds an update of one healthy stream, each detector from its start."""
    rng = random.Random(seed)
    values = [float(rng.random() < RATE) for _ in range(UPDATES)]
    bets = {0.0: worth(0.0, 0.0), 1.0: worth(1.0 / RATE, 1.0)}

    def ours() -> None:
        stream: Stream[int] = Stream(Health(RATE, "declared"), 1e5)
        for index, value in enumerate(values):
            stream.watch(None, bets[value], None, index)

    def array() -> None:
        state = detector.init(EVENTS)
        for index, value in enumerate(values[:500]):
            state = detector.step(EVENTS, state, value / RATE, hours=1.0, at=float(index))

    def peer(make: Callable[[], Any]) -> Callable[[], None]:
        def go() -> None:
            found = make()
            for value in values:
                found.update(value)

        return go

    ways: dict[str, tuple[Callable[[], None], int]] = {
        "qualmon, one stream (onset and share included)": (ours, UPDATES),
        "qualmon, detector.step on arrays": (array, 500),
        "river PageHinkley": (peer(PageHinkley), UPDATES),
        "river ADWIN": (peer(ADWIN), UPDATES),
        "river KSWIN": (peer(lambda: KSWIN(seed=seed)), UPDATES),
    }
    return {way: 1e6 * least(repeats, action) / size for way, (action, size) in ways.items()}


def _lines(seed: int, full: bool) -> dict[str, float]:
    """Lines per second through the command, by kind of line and with or without its start."""
    count, repeats = (600_000, 5) if full else (300_000, 3)
    rng = random.Random(seed)
    values = [int(rng.random() < RATE) for _ in range(count)]
    kinds = {
        "value": (f'{{"value":{v}}}\n' for v in values),
        "value, t": (f'{{"t":{1767225600 + 300 * i},"value":{v}}}\n' for i, v in enumerate(values)),
        "value, t, stream, prompt": (
            f'{{"t":{1767225600 + 300 * i},"value":{v},"stream":"a","prompt":"p{i % 20}"}}\n'
            for i, v in enumerate(values)
        ),
    }
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty")
        empty.touch()
        start = least(repeats, partial(_detect, empty))
        found["start, seconds"] = start
        for kind, text in kinds.items():
            file = Path(folder, "lines")
            file.write_text("".join(text))
            seconds = least(repeats if "prompt" not in kind else 2, partial(_detect, file))
            found[f"{kind}; start included"] = count / seconds
            found[f"{kind}; start excluded"] = count / (seconds - start)
    return found


def _detect(file: Path) -> None:
    command = [sys.executable, "-m", "qualmon", "detect", "--arl", "1e9", "--null-rate", str(RATE)]
    with file.open("rb") as lines:
        done = subprocess.run(command, stdin=lines, capture_output=True)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr


def _rows(steps: dict[tuple[str, int], float], lines: dict[str, float]) -> list[Row]:
    rows = []
    for (way, bets), value in steps.items():
        target = TARGETS[way.split(",")[0]]
        # Nine bets are the requirement; ten are what ships, held to the same figure.
        asked = way in ("NumPy, in place", "JAX, scan")
        rows.append(
            Row(
                "12",
                f"{STREAMS:,} streams x {bets} bets a step: {way}",
                value,
                f"<= {target:g}" if asked else "",
                value <= target if asked else None,
                unit="ms",
                note="minimum over repeats",
            )
        )
    for case, value in lines.items():
        # Prompts are beyond the requirement's one stream.
        if ";" in case and "prompt" not in case:
            rows.append(
                Row(
                    "12",
                    f"qualmon detect, one stream, lines of {case}",
                    value,
                    f">= {LINES_PER_SECOND:,}",
                    value >= LINES_PER_SECOND,
                    unit="lines/s",
                    note="minimum over repeats",
                )
            )
    return rows


def _tables(steps: dict[tuple[str, int], float], updates: dict[str, float]) -> tuple[Table, Table]:
    ways = list(dict.fromkeys(way for way, _ in steps))
    fleet = Table(
        f"milliseconds a step, {STREAMS:,} streams",
        ("way", "9 bets", "10 bets"),
        tuple((way, steps[way, 9], steps[way, 10]) for way in ways),
        "One process; JAX may use all cores. The masses agree bit for bit, JAX within 1e-12.",
    )
    ours = next(iter(updates.values()))
    single = Table(
        "microseconds an update, one stream in Python",
        ("detector", "us", "of ours"),
        tuple((way, value, value / ours) for way, value in updates.items()),
        "river 0.26.1 with its defaults, 1 % of the values bad, from each detector's start.",
    )
    return fleet, single


def _of_lines(lines: dict[str, float]) -> Table:
    return Table(
        "qualmon detect as a command",
        ("case", "lines/s (start: s)"),
        tuple(lines.items()),
        "JSON lines from a file; the start is that of the program on an empty input.",
    )
