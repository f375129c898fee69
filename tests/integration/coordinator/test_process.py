"""`coordinator serve` as a process: it starts, answers, and ends in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.free_ports import free_port
from common.security import Role
from coordinator.config import load_config
from coordinator.container import coordinator_container
from tests.fakes.signed_in import program

pytestmark = [pytest.mark.integration, pytest.mark.slow]
WAIT_S = 90.0
RUN = "from common.cli import run; from coordinator.cli import app; run(app)"


@pytest.fixture
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("api", "devices", "broker")}


@pytest.fixture
def config(tmp_path: Path, ports: dict[str, int]) -> Path:
    path = tmp_path / "coordinator.yaml"
    lines = [f"{name}: {{port: {port}}}" for name, port in ports.items()]
    path.write_text("\n".join(["data_folder: data", *lines, ""]))
    return path


@contextmanager
def running(config: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *command, "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "ITS_LOG_LEVEL": "info"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def serving(config: Path, api_port: int) -> Iterator[subprocess.Popen[str]]:
    with running(config, "serve") as process:
        wait_for(process, api_port)
        yield process


def wait_for(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if get(f"http://127.0.0.1:{port}/health/ready")["status"] == "ok":
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"not ready: {process.stderr.read() if process.stderr else ''}")


def get(url: str, *, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(url, headers=headers or {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def token_of(config: Path) -> dict[str, str]:
    """What a program shows that an operator made a token for, beside the running process."""
    container = coordinator_container(load_config(config))
    headers = program(container, Role.VIEWER)
    container.database().close()
    return headers


def test_one_process_serves_everything_and_ends_in_order(
    config: Path, ports: dict[str, int]
) -> None:
    with serving(config, ports["api"]) as process:
        ready = get(f"http://127.0.0.1:{ports['api']}/health/ready")
        url = f"http://127.0.0.1:{ports['api']}/openapi.json"
        document = get(url, headers=token_of(config))
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(url)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=WAIT_S)

    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    stopped = [event["part"] for event in events if event["event"] == "part_stopped"]
    assert {"broker", "ingest-0", "api", "devices", "database"} <= set(ready["parts"])
    assert "/api/v1/devices/{device_id}/retirement" in document["paths"]
    assert process.returncode == 0
    assert stopped.index("api") < stopped.index("ingest-0") < stopped.index("broker")


def test_private_keys_are_closed_to_others_and_never_logged(
    config: Path, ports: dict[str, int]
) -> None:
    with serving(config, ports["api"]) as process:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=WAIT_S)

    keys = config.parent / "data" / "keys"
    private = list(keys.rglob("*.key"))
    assert len(private) >= 8
    assert {oct(path.stat().st_mode & 0o777) for path in private} == {"0o600"}
    assert oct(keys.stat().st_mode & 0o777) == "0o700"
    for path in private:
        secrets = [line for line in path.read_text().splitlines() if "-----" not in line]
        assert secrets
        assert not [line for line in secrets if line in log]


def test_a_second_coordinator_on_the_same_folder_is_refused(
    config: Path, ports: dict[str, int]
) -> None:
    with serving(config, ports["api"]):
        second = subprocess.run(
            [sys.executable, "-c", RUN, "serve", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    assert second.returncode == 7
    assert "is served by another coordinator" in second.stderr


def test_an_ingest_worker_alone_answers_its_figures_on_loopback(config: Path) -> None:
    port = free_port()
    with running(config, "ingest", "--metrics-port", str(port)) as process:
        figures = scraped(process, f"http://127.0.0.1:{port}/metrics")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT_S)

    # Nobody started a broker: the worker waits for one, and says so.
    assert "its_ingest_is_connected 0.0" in figures
    assert process.returncode == 0


def scraped(process: subprocess.Popen[str], url: str) -> str:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no figures: {process.stderr.read() if process.stderr else ''}")
