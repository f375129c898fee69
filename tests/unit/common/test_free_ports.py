from __future__ import annotations

import socket

import pytest

from common import free_ports as module
from common.free_ports import free_port, free_ports

pytestmark = pytest.mark.unit


def test_ports_differ_can_be_had_and_are_none_that_a_client_is_given() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert max(ports) < 32_768
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_port()
    monkeypatch.setattr(module, "_FIRST", first)
    monkeypatch.setattr(module, "_LAST", first + 1)
    monkeypatch.setattr(module, "_TRIES", 1)

    with socket.create_server(("127.0.0.1", first)), pytest.raises(OSError, match="0 of 1"):
        free_port()
    assert free_port() == first
