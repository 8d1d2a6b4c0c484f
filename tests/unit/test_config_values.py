"""The small notations of a config file mean what they say, and nothing else is read."""

from __future__ import annotations

from typing import Any

import pytest

from qualmon.config import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("90d", 7776000), ("250ms", 0.25),
     ("1.5h", 5400), ("2w", 1209600), (45, 45), (0.5, 0.5)],
)  # fmt: skip
def test_durations(text: Any, seconds: float) -> None:
    """Durations add up in seconds."""
    assert values.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5 m", "-5m", "5M", "1h 30m", 0, -1, True, None, [], "9999999999d", "5m\n"],
)
def test_no_durations(text: Any) -> None:
    """What is not a positive duration is refused with an example."""
    with pytest.raises(ValueError, match=r"30s|3650d"):
        values.duration(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("16MiB", 16 * 2**20), ("500kB", 500_000), ("1 GiB", 2**30), (4096, 4096), ("4096", 4096)],
)
def test_sizes(text: Any, count: int) -> None:
    """Sizes are whole bytes."""
    assert values.size(text) == count


@pytest.mark.parametrize("text", ["16Mib", "1.5MiB", "-1kB", True, None, 3, "2GiB", "16 mb"])
def test_no_sizes(text: Any) -> None:
    """Unknown units and sizes out of range are refused."""
    with pytest.raises(ValueError, match=r"such as 16MiB|1KiB to 1GiB"):
        values.size(text)


@pytest.mark.parametrize(
    ("text", "per_second"),
    [("5/s", 5), ("300/m", 5), ("1800/h", 0.5), ("86400/d", 1), ("0.5/s", 0.5)],
)
def test_rates(text: str, per_second: float) -> None:
    """Rates are requests per second."""
    assert values.rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize("text", [5, "5", "0/s", "5/x", "-1/s", None])
def test_no_rates(text: Any) -> None:
    """A bare number is no rate: its unit would be a guess."""
    with pytest.raises(ValueError, match="is not a rate"):
        values.rate(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:9464", "127.0.0.1", 9464),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """Host and port, IPv6 in brackets."""
    assert values.address(text) == (host, port)


@pytest.mark.parametrize(
    "text", [9464, ":9464", "host", "host:", "::1:80", "a b:1", "h:٣", "h:99999"]
)
def test_no_addresses(text: Any) -> None:
    """Addresses without host or port are refused."""
    with pytest.raises(ValueError, match=r"host:port|65535"):
        values.address(text)


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://localhost:80", True), ("http://127.8.0.1/v1", True), ("http://[::1]:1/v1", True),
     ("http://10.0.0.1", False),
     ("http://localhost.example.com", False), ("http://0.0.0.0", False)],
)  # fmt: skip
def test_loopback(url: str, local: bool) -> None:
    """Only this machine counts as loopback."""
    assert values.is_loopback(values.web_url(url)) is local


@pytest.mark.parametrize(
    "url",
    ["https://", "https:///v1", "//x", "https://a b", "https://a:port", "https://a\n", 7,
     None, "https://[::1", "file:///etc/passwd"],
)  # fmt: skip
def test_no_web_addresses(url: Any) -> None:
    """Whatever has no http scheme or host is refused."""
    with pytest.raises(ValueError, match="web address"):
        values.web_url(url)


def test_only_a_model_may_hold_a_slash() -> None:
    """A target's key stays unambiguous from its right end."""
    assert values.name("meta/llama-3") == "meta/llama-3"
    with pytest.raises(ValueError, match="slash"):
        values.segment("aws/us")
