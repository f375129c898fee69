"""SIGTERM and Ctrl-C → a stop event, so that what was measured is kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType


def stop_on_signals(*stops: threading.Event) -> None:
    """Set these at the first signal, in this order; a second one ends the process at once.

    Call it from the main thread.
    """

    def set_all() -> None:
        for stop in stops:
            stop.set()

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        # Not from here: the interrupted thread may hold the event's own lock.
        threading.Thread(target=set_all, name="stop-signal").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def leave(code: int) -> None:
    """End the process; at once where a thread remains that nobody waits for.

    A thread that hangs in a driver, or is in the middle of a network, would hold the
    interpreter back, or be cut off by it inside foreign code.
    """
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
