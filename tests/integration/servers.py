"""Real Prometheus and Alertmanager on free loopback ports, and a collector of their webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

READY_SECONDS = 20.0


def need(*binaries: str) -> None:
    """Skips when a binary is missing; fails instead where CI=true says that it must be there."""
    missing = [name for name in binaries if shutil.which(name) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)} (Debian: prometheus, prometheus-alertmanager)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def get_json(url: str) -> Any:
    """What a GET answers."""
    return httpx.get(url, timeout=5).raise_for_status().json()


def wait_ready(
    url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = READY_SECONDS
) -> None:
    """Returns once `url` answers 200; fails with the log when the process ends or is slow."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=1).status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail(f"{url} did not get ready:\n{log.read_text(errors='replace')[-4000:]}")


@contextlib.contextmanager
def running(
    command: list[str],
    ready_url: str,
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    ready_seconds: float = READY_SECONDS,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process while the context is open; its output goes to `folder`/log.

    env: variables besides the test's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(env or {})},
        )
        try:
            wait_ready(ready_url, process, log, ready_seconds)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@dataclass
class Webhook:
    """What Alertmanager delivered, in order of arrival."""

    url: str = ""
    alerts: list[dict[str, Any]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def receive(self, body: bytes) -> None:
        """Takes one delivery; each alert is kept with the wall time of its arrival."""
        with self._changed:
            for alert in json.loads(body)["alerts"]:
                self.alerts.append(alert | {"received": time.time()})
            self._changed.notify_all()

    def wait(self, wanted: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """The first alert, of those that came or come within `seconds`, that is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: any(map(wanted, self.alerts)), timeout=seconds)
            found = next(filter(wanted, self.alerts), None)
        assert found is not None, f"not delivered in {seconds} s; delivered: {self.alerts}"
        return found

    async def wait_async(
        self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 40.0
    ) -> dict[str, Any]:
        """As `wait`, without holding up the loop."""
        return await asyncio.to_thread(self.wait, wanted, seconds)


@contextlib.contextmanager
def webhook_collector() -> Iterator[Webhook]:
    """An HTTP server that collects what is posted to it."""
    webhook = Webhook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            webhook.receive(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keeps the test's output quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        webhook.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield webhook
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class AlertingStack:
    """Addresses of a running Prometheus and Alertmanager, and the webhook behind them."""

    prometheus: str
    alertmanager: str
    webhook: Webhook

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Prometheus's instant vector for an expression."""
        encoded = urllib.parse.urlencode({"query": expression})
        answer = get_json(f"{self.prometheus}/api/v1/query?{encoded}")
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    async def query_until(
        self, expression: str, wanted: Callable[[list[dict[str, Any]]], bool], seconds: float = 20.0
    ) -> list[dict[str, Any]]:
        """Asks until the answer is as wanted, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = await asyncio.to_thread(self.query, expression)
            if wanted(found):
                return found
            assert time.monotonic() < deadline, f"{expression}: {found}"
            await asyncio.sleep(0.1)

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that Alertmanager has active now."""
        return list(get_json(f"{self.alertmanager}/api/v2/alerts?active=true"))


def alertmanager_config(webhook: str) -> dict[str, Any]:
    """Routes every alert to the webhook as soon as it comes, resolutions too."""
    return {
        "route": {
            "receiver": "hook",
            "group_by": ["alertname", "incident"],
            "group_wait": "100ms",
            "group_interval": "300ms",
            "repeat_interval": "1h",
        },
        "receivers": [
            {"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
        ],
    }


def prometheus_config(
    exporter: str, alertmanager: str, rules: Path, interval: str
) -> dict[str, Any]:
    """Scrapes one exporter as job qualmon and evaluates one rule file."""

    def static(url: str) -> list[dict[str, Any]]:
        return [{"targets": [url.removeprefix("http://")]}]

    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        },
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": static(alertmanager)}]},
        "scrape_configs": [{"job_name": "qualmon", "static_configs": static(exporter)}],
    }


@contextlib.contextmanager
def alerting_stack(
    folder: Path, exporter: str, rules: str, *, interval: str = "500ms"
) -> Iterator[AlertingStack]:
    """Prometheus with `rules` scraping `exporter` (a base URL), Alertmanager, and the webhook."""
    need("prometheus", "prometheus-alertmanager")
    prometheus, alertmanager = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    rule_file = folder / "rules.yaml"
    rule_file.write_text(rules)
    with contextlib.ExitStack() as stack:
        webhook = stack.enter_context(webhook_collector())
        stack.enter_context(_alertmanager(folder / "alertmanager", alertmanager, webhook.url))
        config = prometheus_config(exporter, alertmanager, rule_file, interval)
        stack.enter_context(_prometheus(folder / "prometheus", prometheus, config))
        yield AlertingStack(prometheus, alertmanager, webhook)


def _alertmanager(folder: Path, url: str, webhook: str) -> contextlib.AbstractContextManager[Any]:
    command = [
        "prometheus-alertmanager",
        f"--config.file={_write(folder, alertmanager_config(webhook))}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    return running(command, f"{url}/-/ready", folder)


def _prometheus(
    folder: Path, url: str, config: dict[str, Any]
) -> contextlib.AbstractContextManager[Any]:
    command = [
        "prometheus",
        f"--config.file={_write(folder, config)}",
        f"--storage.tsdb.path={folder / 'data'}",
        # An alert that fires before Alertmanager is discovered is lost until it is sent again.
        "--rules.alert.resend-delay=1s",
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    return running(command, f"{url}/-/ready", folder)


def _write(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
