"""SIGTERM and Ctrl-C → a stop event, so that what was measured is kept."""

from __future__ import annotations

import signal
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
