from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.service_manager import ALIVE, READY, notify, watchdog_s

pytestmark = pytest.mark.integration


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Stands for the service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(5)
        yield channel


def test_words_reach_the_service_manager(manager: socket.socket) -> None:
    told = notify(READY, ALIVE, environment={"NOTIFY_SOCKET": manager.getsockname()})

    assert told
    assert manager.recv(100) == b"READY=1\nWATCHDOG=1"


def test_an_abstract_address_works_too() -> None:
    name = f"its-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{name}")
        channel.settimeout(5)

        assert notify(READY, environment={"NOTIFY_SOCKET": f"@{name}"})
        assert channel.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="no manager"),
        pytest.param({"NOTIFY_SOCKET": "/nowhere/notify"}, id="a manager that is gone"),
    ],
)
def test_nobody_to_tell_is_no_fault(environment: dict[str, str]) -> None:
    assert notify(READY, environment=environment) is False


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        pytest.param({"WATCHDOG_USEC": "30000000"}, 15.0, id="half of what is allowed"),
        pytest.param(
            {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())}, 2.0, id="ours"
        ),
        pytest.param({"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}, None, id="another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="switched off"),
        pytest.param({}, None, id="not watched"),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(
    environment: dict[str, str], every_s: float | None
) -> None:
    assert watchdog_s(environment) == every_s
