"""Foreign inference servers on free loopback ports, and `qualmon run` watching them.

llama-cpp-python's own server needs the extra `real-server`; its model is the tiny one of the
folder that QUALMON_REAL_SERVER names (wheels/ and tiny.gguf), else one made on the spot. The
litellm proxy lives in a virtual environment of its own, because it wants an older rich.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from servers import free_port, running

from qualmon.storage.open import open_store
from qualmon.storage.rows import StoredObservation

ROOT = Path(__file__).parents[2]
LITELLM = ROOT / ".litellm" / "bin" / "litellm"
LITELLM_NEEDS = Path(__file__).with_name("litellm-requirements.txt")
#: litellm imports for ten seconds, on a busy machine for half a minute.
LITELLM_SECONDS = 120.0


def unavailable(reason: str) -> None:
    """Skips, or fails where CI=true says that it must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need_modules(*names: str) -> None:
    """All of them can be imported, or the test ends here."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        unavailable(
            f"not installed: {', '.join(missing)}; pip install -e '.[real-server]', with "
            "--find-links FOLDER where a folder holds a wheel (else it builds for 20 minutes)"
        )


def tiny_model(folder: Path) -> Path:
    """The tiny model that comes with the wheel, else one made in `folder`."""
    given = os.environ.get("QUALMON_REAL_SERVER")
    model = (Path(given) if given else ROOT.parent / "shared" / "real-server") / "tiny.gguf"
    if model.is_file():
        return model.resolve()
    if given:
        unavailable(f"QUALMON_REAL_SERVER={given}: there is no tiny.gguf")
    need_modules("gguf")
    from make_tiny_model import make_tiny_model

    make_tiny_model(folder / "tiny.gguf")
    return folder / "tiny.gguf"


@contextlib.contextmanager
def llama_server(model: Path, folder: Path) -> Iterator[str]:
    """llama-cpp-python's server over `model`; its base URL as a target takes it."""
    need_modules("llama_cpp", "fastapi", "sse_starlette")
    url = f"http://127.0.0.1:{(port := free_port())}/v1"
    command = [
        *(sys.executable, "-m", "llama_cpp.server", "--model", str(model)),
        *("--host", "127.0.0.1", "--port", str(port), "--n_ctx", "1024", "--logits_all", "true"),
        *("--interrupt_requests", "false"),  # else a new request ends a stream that runs
    ]
    with running(command, f"{url}/models", folder):
        yield url


@dataclass(frozen=True)
class Proxy:
    """A running litellm proxy."""

    url: str
    key: str


@contextlib.contextmanager
def litellm_proxy(answers: Mapping[str, str], folder: Path) -> Iterator[Proxy]:
    """The proxy with one model per entry of `answers`, which always says that text."""
    command = litellm_command()
    port, key = free_port(), f"sk-{secrets.token_hex(32)}"
    folder.mkdir(parents=True, exist_ok=True)
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_key": "none", "mock_response": text},
        }
        for name, text in answers.items()
    ]
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"model_list": models}))
    command += ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    url = f"http://127.0.0.1:{port}"
    ready = f"{url}/health/liveliness"
    with running(command, ready, folder, env=env, ready_seconds=LITELLM_SECONDS):
        yield Proxy(f"{url}/v1", key)


def litellm_command() -> list[str]:
    """The `litellm` of QUALMON_LITELLM or .litellm/; under CI=true it is installed there."""
    command = Path(os.environ.get("QUALMON_LITELLM", LITELLM))
    if command.is_file():
        return [str(command)]
    if os.environ.get("CI") != "true":
        pytest.skip(f"litellm is not installed; to install it: python {Path(__file__).name}")
    install_litellm()
    return [str(LITELLM)]


def install_litellm() -> None:
    """Makes .litellm/, a virtual environment with the proxy (about a minute, 750 MB)."""
    folder = LITELLM.parents[1]
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "-r", str(LITELLM_NEEDS)]
    subprocess.run(pip, check=True)


@dataclass(frozen=True)
class Watch:
    """`qualmon run` on a configuration file, and what it leaves behind."""

    process: subprocess.Popen[bytes]
    url: str
    config: Path

    def metrics(self) -> str:
        """The exposition now."""
        return httpx.get(f"{self.url}/metrics", timeout=10).raise_for_status().text

    def await_answers(self, each: int, seconds: float) -> None:
        """Returns once every target has `each` answers; fails after `seconds`."""
        targets = len(yaml.safe_load(self.config.read_text())["targets"])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [line for line in self.metrics().splitlines() if 'outcome="ok"' in line]
            counts = [float(line.rsplit(" ", 1)[1]) for line in found]
            if len(counts) == targets and min(counts) >= each:
                return
            assert self.process.poll() is None, (self.config.parent / "log").read_text()
            time.sleep(0.2)
        pytest.fail(f"after {seconds} s: {counts} answers, {each} wanted of each target")

    def stop(self) -> None:
        """SIGTERM; the service drains and says that all is well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, (self.config.parent / "log").read_text()

    def observations(self) -> list[StoredObservation]:
        """Everything in the store; after `stop`."""
        store = open_store(f"sqlite:///{self.config.parent / 'qualmon.db'}")
        try:
            keys = [t["model"] + "/" + t["platform"] + "/" + t["route"] for t in self.targets()]
            return [found for key in keys for found in store.observations(key, limit=10_000)]
        finally:
            store.dispose()

    def bound(self, suite: str, model: str, channel: str) -> str:
        """What the audit of a channel's declared bound came to; after `stop`."""
        store = open_store(f"sqlite:///{self.config.parent / 'qualmon.db'}")
        try:
            pools = json.loads(store.load_state()[0][f"pool/{suite}/{model}"])
        finally:
            store.dispose()
        return str(pools[channel]["status"])

    def targets(self) -> list[dict[str, Any]]:
        """As configured."""
        return list(yaml.safe_load(self.config.read_text())["targets"])

    def ask(self, *command: str, env: Mapping[str, str] | None = None) -> Any:
        """What another command answers about this configuration, as JSON."""
        return qualmon_json([*command, "-c", str(self.config)], env)


def capability(metrics: str, route: str) -> str | None:
    """State of a route's logprobs in an exposition."""
    for family in text_string_to_metric_families(metrics):
        if family.name == "qualmon_capability":
            states = {s.labels["route"]: s.labels["state"] for s in family.samples}
            return states.get(route)
    return None


def qualmon_json(
    command: Sequence[str], env: Mapping[str, str] | None = None, code: int = 0
) -> Any:
    """Runs `qualmon ... --json`, which exits with `code`, and reads its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "qualmon", *command, "--json"],
        capture_output=True,
        check=False,
        env={**os.environ, **(env or {})},
        timeout=60,
    )
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout)


def write_config(folder: Path, targets: list[dict[str, Any]], suite: Path, **more: Any) -> Path:
    """A qualmon.yaml that folds from the first round on, with one suite asked every second."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "store": "sqlite:///qualmon.db",
        "listen": f"127.0.0.1:{free_port()}",
        "burn_in": "0s",
        "targets": targets,
        "suites": [{"name": str(suite), "every": "1s", **more}],
    }
    path = folder / "qualmon.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@contextlib.contextmanager
def watching(config: Path, env: Mapping[str, str] | None = None) -> Iterator[Watch]:
    """`qualmon run` as a process of its own."""
    url = "http://" + yaml.safe_load(config.read_text())["listen"]
    command = [sys.executable, "-m", "qualmon", "run", "-c", str(config)]
    with running(command, f"{url}/-/ready", config.parent, env=env) as process:
        yield Watch(process, url, config)


if __name__ == "__main__":
    install_litellm()
