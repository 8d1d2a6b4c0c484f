"""`qualmon detect`, line by line: what is accepted, what comes out, which exit code."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qualmon.cli.detect_run import Detection, references
from qualmon.errors import StatisticsError, UsageError

ALARM_KEYS = {
    "stream", "line", "t", "log10_e", "threshold_log10", "share", "share_low", "share_high",
    "onset", "onset_line", "severity",
}  # fmt: skip


class Pieces(io.BytesIO):
    """Standard input that hands on at most so many bytes at a time."""

    def __init__(self, text: bytes, size: int) -> None:
        super().__init__(text)
        self._size = size

    def read1(self, size: int = -1, /) -> bytes:
        """A piece."""
        return super().read1(min(size, self._size))


def lines(*items: dict[str, Any]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def events(values: Iterable[Any], **more: Any) -> bytes:
    """Lines with nothing but a value, and what is common to all."""
    return lines(*({"value": value, **more} for value in values))


def run(
    text: bytes,
    *,
    arl: float = 100.0,
    baseline: Path | None = None,
    null_rate: float | None = None,
    kind: str = "event",
    stop: bool = False,
    piece: int = 2**20,
) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """(exit code, alarms, summary)."""
    if baseline is None and null_rate is None:
        null_rate = 0.01
    detection = Detection(arl, references(baseline, null_rate, kind), kind, stop=stop)
    sink = io.BytesIO()
    detection.read(Pieces(text, piece), sink)
    *alarms, last = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert list(last) == ["summary"]
    return detection.exit_code, alarms, last["summary"]


def file(tmp_path: Path, text: bytes) -> Path:
    """A baseline file."""
    path = tmp_path / "baseline.jsonl"
    path.write_bytes(text)
    return path


def test_empty_input_is_fine() -> None:
    """Nothing to say but the summary."""
    assert run(b"") == (0, [], {"lines": 0, "alarms": 0, "streams": 0, "arl": 100.0})


def test_an_alarm_says_everything() -> None:
    """All keys, in the form of the input; line numbers are physical, from 1."""
    healthy = [{"value": 0, "t": 3600 * i, "stream": "a"} for i in range(400)]
    bad = [{"value": 1, "t": 3600 * (400 + i), "stream": "a"} for i in range(5)]
    code, (alarm, *_), summary = run(b"\n" + lines(*healthy, *bad), stop=True)
    assert code == 1
    assert set(alarm) == ALARM_KEYS
    assert alarm["stream"] == "a"
    assert alarm["t"] == 3600 * (alarm["line"] - 2)
    assert alarm["line"] > 401
    assert alarm["log10_e"] >= alarm["threshold_log10"] == 2.0
    assert (alarm["onset"], alarm["onset_line"]) == (3600 * 400, 402)
    assert alarm["severity"] == "page"
    assert 0 <= alarm["share_low"] <= alarm["share_high"] <= 1
    assert summary == {"lines": 405, "alarms": 1, "streams": 1, "arl": 100.0}


def test_iso_times_come_back_as_they_were_written() -> None:
    """With and without a zone; UTC where there is none."""
    times = [f"2026-01-{1 + i // 24:02}T{i % 24:02}:00:00" for i in range(48)]
    mixed = [t if i % 2 else f"{t}+00:00" for i, t in enumerate(times)]
    text = lines(*({"value": int(i > 40), "t": t} for i, t in enumerate(mixed)))
    code, (alarm, *_), _ = run(text)
    assert code == 1
    assert alarm["onset"] == mixed[41]
    assert alarm["t"] == mixed[alarm["line"] - 1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"value": NaN}', "not JSON"),
        (b'{"value": Infinity}', "not JSON"),
        (b'{"value": 1', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not an object"),
        (b"1", "not an object"),
        (b"{}", "value: missing"),
        (b'{"val": 1}', "value: missing"),
        (b'{"value": null}', "value: None"),
        (b'{"value": "1"}', "value: '1'"),
        (b'{"value": 2}', "value: 2"),
        (b'{"value": 0.5}', "value: 0.5"),
        (b'{"value": -1}', "value: -1"),
        (b'{"value": [1]}', "value: [1]"),
        (b'{"value": 1, "stream": 1}', "stream: 1"),
        (b'{"value": 1, "prompt": ["p"]}', "prompt: ['p']"),
        (b'{"value": 1, "cluster": 7}', "cluster: 7"),
        (b'{"value": 1, "t": true}', "t: True"),
        (b'{"value": 1, "t": -1}', "t: -1"),
        (b'{"value": 1, "t": "yesterday"}', "t: 'yesterday'"),
        (b'{"value": 1, "t": "1969-12-31T00:00:00"}', "t: '1969"),
        (b'{"value": 1, "t": "0001-01-01T00:00:00+14:00"}', "t: '0001"),
        (b'{"value": 1, "t": {}}', "t: {}"),
        (b'{"value": 1, "t": 5}', "t: the lines before of this stream have no t"),
    ],
)
def test_a_bad_line_is_named_and_left_out(
    line: bytes, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Number and reason on stderr, the rest is judged, exit 2 although there was an alarm."""
    code, alarms, summary = run(b'{"value": 0}\n' + line + b"\n" + events([1] * 20))
    assert code == 2
    assert alarms
    assert summary["lines"] == 21
    assert capsys.readouterr().err.startswith(f"line 2: {reason}")


def test_times_must_not_go_back_and_not_come_and_go(capsys: pytest.CaptureFixture[str]) -> None:
    """Per stream; equal times are fine, and a bad line does not move the clock."""
    text = lines(
        {"value": 0, "t": 10, "stream": "a"},
        {"value": 0, "stream": "b"},
        {"value": 0, "t": 10, "stream": "a"},
        {"value": 0, "t": 9, "stream": "a"},
        {"value": 0, "stream": "a"},
        {"value": 0, "t": 5, "stream": "b"},
        {"value": 0, "t": 10, "stream": "a"},
    )
    code, _, summary = run(text)
    assert (code, summary["lines"], summary["streams"]) == (2, 4, 2)
    assert [row.split(":")[0] for row in capsys.readouterr().err.splitlines()] == [
        "line 4", "line 5", "line 6",
    ]  # fmt: skip


def test_a_line_too_long_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """16 MiB are read, more are not."""
    inside = b'{"value": 0, "x": "' + b"x" * (16 * 2**20 - 21) + b'"}'
    assert len(inside) == 16 * 2**20
    code, _, summary = run(inside + b"\n" + inside + b" \n" + b'{"value": 0}')
    assert (code, summary["lines"]) == (2, 2)
    assert capsys.readouterr().err == "line 2: longer than 16 MiB\n"


def test_mark_of_byte_order_and_line_ends() -> None:
    """A BOM, CRLF, blank lines, no newline at the end; unknown keys and nulls."""
    text = (
        b'\xef\xbb\xbf{"value": false}\r\n  \r\n{"value": 0.0, "more": 1, "t": null}\n{"value": 1}'
    )
    assert run(text) == (0, [], {"lines": 3, "alarms": 0, "streams": 1, "arl": 100.0})


def test_after_alarm_reset_goes_on_and_stop_does_not() -> None:
    """Per stream; lines are still counted."""
    text = lines(*({"value": 1, "stream": name} for _ in range(40) for name in "ab"))
    _, alarms, _ = run(text)
    assert len(alarms) > 4
    _, stopped, summary = run(text, stop=True)
    assert [alarm["stream"] for alarm in stopped] == ["a", "b"]
    assert summary["lines"] == 80
    assert stopped == [alarms[0], alarms[1]]


def test_streams_are_judged_by_themselves() -> None:
    """Interleaved or one after the other, each has the same alarms."""
    rng = random.Random(1)
    values = {name: [int(rng.random() < 0.05) for _ in range(300)] for name in "abc"}
    text = lines(*({"value": values[n][i], "stream": n} for i in range(300) for n in "abc"))
    _, mixed, _ = run(text)
    for name in "abc":
        _, alone, _ = run(events(values[name], stream=name))
        known = [a["log10_e"] for a in mixed if a["stream"] == name]
        assert known == [a["log10_e"] for a in alone]


def test_a_cluster_counts_once() -> None:
    """Ten retries of one bad answer are one bad answer; ten of their own are ten."""
    once = events([0] * 300) + events([1] * 10, cluster="c")
    assert run(once, arl=1000.0)[0] == 0
    assert run(events([0] * 300 + [1] * 10), arl=1000.0)[0] == 1


def test_the_last_cluster_ends_with_the_input() -> None:
    """Its alarm carries its last line."""
    text = b"".join(events([1, 1], cluster=str(k)) for k in range(3))
    _, alarms, _ = run(text, arl=50.0)
    assert alarms
    assert all(alarm["line"] % 2 == 0 for alarm in alarms)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["event", "bounded"])
def test_impossible_rates_are_refused(rate: float, kind: str) -> None:
    """With a remedy."""
    with pytest.raises(StatisticsError, match="Give a healthy rate"):
        references(None, rate, kind)


@pytest.mark.parametrize("arl", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_budgets_are_refused(arl: float) -> None:
    """Hours are positive and finite."""
    with pytest.raises(UsageError, match="Give hours > 0"):
        run(b"", arl=arl)


def test_exactly_one_reference_is_needed(tmp_path: Path) -> None:
    """Neither and both are refused."""
    with pytest.raises(UsageError, match="neither of"):
        references(None, None, "event")
    with pytest.raises(UsageError, match="both of"):
        references(file(tmp_path, b""), 0.1, "event")


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        (b"", "event", "holds no line"),
        (b'{"value": 3}\n', "event", "holds no line"),
        (events([1, 1, 1]), "event", "all 3 answers of the reference are bad"),
        (events([1.0, 1.0]), "bounded", "every reference score is 1"),
        (events([0.2, 0.3]), "event", "holds no line"),
    ],
)
def test_impossible_baselines_are_refused(
    text: bytes, kind: str, reason: str, tmp_path: Path
) -> None:
    """Before any line is judged."""
    with pytest.raises(UsageError, match=reason):
        references(file(tmp_path, text), None, kind)


def test_unreadable_baselines_are_refused(tmp_path: Path) -> None:
    """Missing, or a folder."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="Name a file"):
            references(path, None, "event")


def test_bad_lines_of_a_baseline_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the file; the rest serves, and the exit code is 2."""
    path = file(tmp_path, events([0] * 50) + b"nonsense\n" + events([0]))
    code, alarms, _ = run(events([0]), baseline=path)
    assert (code, alarms) == (2, [])
    assert capsys.readouterr().err.startswith(f"{path}: line 51: not JSON")


def test_a_stream_has_its_own_baseline_or_the_common_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own lines win; without either, its lines are bad."""
    rng = random.Random(2)
    loud = [int(rng.random() < 0.5) for _ in range(500)]
    path = file(tmp_path, events(loud, stream="loud") + events([0] * 500))
    fault = [1, 0] * 20
    assert run(events(fault, stream="loud"), baseline=path)[0] == 0
    assert run(events(fault, stream="other"), baseline=path)[0] == 1
    assert run(events(fault), baseline=path)[0] == 1
    own = file(tmp_path, events(loud, stream="loud"))
    code, _, summary = run(events([1, 1], stream="x") + events([0], stream="loud"), baseline=own)
    assert (code, summary["lines"], summary["streams"]) == (2, 1, 1)
    assert "line 1: stream: the baseline has no line of 'x'" in capsys.readouterr().err


def test_prompts_are_weighed_by_their_own_rates(tmp_path: Path) -> None:
    """A bad answer to a prompt that never fails says more than one to a prompt that often does;
    an unknown prompt lies between."""
    rng = random.Random(3)
    healthy = [
        {"value": int(k % 4 == 0 and rng.random() < 0.5), "prompt": f"p{k}"}
        for _ in range(20)
        for k in range(40)
    ]
    path = file(tmp_path, lines(*healthy))

    def evidence(prompt: str) -> float:
        text = events([0] * 20, prompt="p1") + events([1] * 8, prompt=prompt)
        alarms = run(text, baseline=path, arl=20.0)[1]
        return float(alarms[0]["line"]) if alarms else 99.0

    assert evidence("p1") <= evidence("new") <= evidence("p0")
    assert evidence("p1") < evidence("p0")


def test_an_uneven_baseline_opens_tickets(tmp_path: Path) -> None:
    """Bad answers that come on some days only; spread evenly they open pages."""
    rng = random.Random(4)
    for share, severity in (((0.0, 0.0, 0.3), "ticket"), ((0.1, 0.1, 0.1), "page")):
        healthy = (
            {"value": int(rng.random() < share[day % 3]), "t": 86400 * day + 60 * i}
            for day in range(30)
            for i in range(100)
        )
        fault = events([1] * 60)
        _, (alarm, *_), _ = run(fault, baseline=file(tmp_path, lines(*healthy)))
        assert alarm["severity"] == severity


def test_bounded_scores_against_a_baseline_and_against_a_mean(tmp_path: Path) -> None:
    """Both find scores that got worse, and refuse what is no score."""
    rng = random.Random(5)
    healthy = [rng.betavariate(2, 18) for _ in range(2000)]
    live = [rng.betavariate(2, 18) for _ in range(300)] + [rng.betavariate(8, 4)] * 20
    path = file(tmp_path, events(healthy))
    for reference in ({"baseline": path}, {"null_rate": 0.12}):
        code, (alarm, *_), _ = run(events(live), kind="bounded", arl=1000.0, **reference)
        assert code == 1
        assert alarm["line"] > 300
        assert alarm["onset_line"] in range(290, 321)
    assert run(b'{"value": 1.1}\n{"value": true}\n{"value": 1}', kind="bounded")[2]["lines"] == 1


STREAM_LINES = st.lists(
    st.fixed_dictionaries(
        {"value": st.sampled_from([0, 0, 0, 1, True, 2])},
        optional={
            "stream": st.sampled_from(["a", "b"]),
            "prompt": st.sampled_from(["p", "q"]),
            "cluster": st.sampled_from(["c", "d"]),
            "t": st.sampled_from([0, 60, 3600, 7200.5, "1970-01-02"]),
        },
    ),
    max_size=40,
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(items=STREAM_LINES, piece=st.integers(1, 200))
def test_how_the_input_arrives_does_not_matter(
    items: list[dict[str, Any]], piece: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """In pieces of any size: same alarms, same summary, same complaints."""
    text = lines(*items)
    whole = run(text, arl=5.0)
    said = capsys.readouterr().err
    assert run(text, arl=5.0, piece=piece) == whole
    assert capsys.readouterr().err == said
