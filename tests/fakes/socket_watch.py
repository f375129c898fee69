"""Python processes → every address that they look up, connect or send to.

``watching(folder)`` gives variables for a process and all that it starts: a ``sitecustomize``
first in its search path adds an audit hook (PEP 578), which sees each socket call of the
interpreter before it happens, whichever library makes it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

TRACE = "ITS_SOCKET_TRACE"
_HOOK = '''"""Tells what this interpreter connects to."""

import os
import sys

_TRACE = os.environ.get("ITS_SOCKET_TRACE")


def _told(event, arguments):
    if event == "socket.getaddrinfo":
        address = (str(arguments[0]), arguments[1])
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
    else:
        return
    if isinstance(address, tuple):
        line = repr((os.path.basename(sys.argv[0] or "python"), event, str(address[0])))
        descriptor = os.open(_TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, line.encode() + b"\\n")
        os.close(descriptor)


if _TRACE:
    sys.addaudithook(_told)
'''


@dataclass(frozen=True, slots=True)
class Seen:
    """One call: program, event, host as it was given."""

    program: str
    event: str
    host: str

    @property
    def is_of_this_machine(self) -> bool:
        """A loopback address, or the name of one."""
        if self.host in ("localhost", "None", ""):
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class SocketWatch:
    """A folder for the search path, and a file of what was seen."""

    def __init__(self, folder: Path) -> None:
        """Write the hook."""
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "sitecustomize.py").write_text(_HOOK)
        self._trace = folder / "trace"

    @property
    def environment(self) -> dict[str, str]:
        """To be given to processes beside ``folder`` in PYTHONPATH."""
        return {TRACE: str(self._trace)}

    def seen(self) -> list[Seen]:
        """Everything so far."""
        if not self._trace.exists():
            return []
        lines = self._trace.read_text().splitlines()
        return [Seen(*map(str, ast.literal_eval(line))) for line in lines]

    def strangers(self) -> set[tuple[str, str]]:
        """Program and host of every call that left this machine."""
        return {(one.program, one.host) for one in self.seen() if not one.is_of_this_machine}
