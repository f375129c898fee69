"""Loopback ports for servers that are about to start.

A port from the system's own range (``bind`` to 0) may be given to any client's connection before
the server has it; a port below that range may only be taken by somebody who asks for it.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

_FIRST, _LAST = 10_000, 32_000  # Linux gives out 32768 to 60999 unless told otherwise
_TRIES = 1000


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses at this moment.

    Raises:
        OSError: There are not so many.
    """
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.SystemRandom().sample(range(_FIRST, _LAST), _TRIES):
            if len(ports) == count:
                break
            try:
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            ports.append(port)
    if len(ports) < count:
        raise OSError(f"{len(ports)} of {count} loopback ports are free, of {_TRIES} tried")
    return ports


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
