"""Serving inside a running loop: address, end, ports in use, signal handlers untouched."""

from __future__ import annotations

import signal

import httpx
import pytest
from export_samples import view

from qualmon.errors import PortInUseError
from qualmon.web.app import make_app
from qualmon.web.server import ListenError, serve


async def refused(url: str) -> None:
    """Nobody listens any more."""
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def test_serves_on_a_free_port_and_stops() -> None:
    """The page answers while the context is open and not after."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with serve(make_app(view()), "127.0.0.1", 0) as url, httpx.AsyncClient() as http:
        answer = await http.get(f"{url}/-/healthy")
        assert answer.text == "ok\n"
        assert "server" not in answer.headers
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    await refused(url)


async def test_percent_encoded_keys_survive_the_wire() -> None:
    """A target's slashes may come encoded or plain."""
    async with serve(make_app(view()), "127.0.0.1", 0) as url, httpx.AsyncClient() as http:
        for key in ("m-large%2Faws%2Fdefault", "m-large/aws/default"):
            assert (await http.get(f"{url}/targets/{key}")).status_code == 200


async def test_port_in_use_is_one_clear_line() -> None:
    """The message names the address and the remedy; the first server goes on."""
    async with serve(make_app(view()), "127.0.0.1", 0) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(PortInUseError, match=f"127.0.0.1:{port}.*choose another port"):
            async with serve(make_app(view()), "127.0.0.1", port):
                pass
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{url}/-/ready")).status_code == 200


@pytest.mark.parametrize(("host", "port"), [("203.0.113.1", 0), ("no.such.host.invalid", 0)])
async def test_addresses_that_cannot_be_had(host: str, port: int) -> None:
    """Not of this machine, or of no machine."""
    with pytest.raises(ListenError, match="Change `listen`"):
        async with serve(make_app(view()), host, port):
            pass


async def test_the_service_may_fail_while_it_is_served() -> None:
    """Its error comes out, and the server has ended."""
    with pytest.raises(ValueError, match="the service's own"):
        async with serve(make_app(view()), "127.0.0.1", 0) as url:
            raise ValueError("the service's own")
    await refused(url)
