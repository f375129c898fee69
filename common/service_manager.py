"""Ready, alive, stopping → datagrams to the service manager (sd_notify(3)), if there is one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def notify(*words: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell the service manager; False where nobody asked to be told."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract name space of Linux
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    # A manager that went away must not take the counting with it.
    with channel, suppress(OSError):
        channel.sendto("\n".join(words).encode(), address)
        return True
    return False


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """How often to say ``ALIVE``: half of what the manager allows; None: it does not watch."""
    allowed_us = environment.get("WATCHDOG_USEC", "")
    if not allowed_us.isdigit() or not int(allowed_us):
        return None
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(allowed_us) / 2e6
