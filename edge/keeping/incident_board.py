"""Single incidents of all cameras → whoever sends them, in another thread.

Kept in memory only: that something happened is in the bins, which survive everything. Without
a reader the oldest make room.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from edge.measure.events import Incident

MOST_WAITING = 1000


class IncidentBoard:
    """Safe to share between threads."""

    def __init__(self, *, most: int = MOST_WAITING) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, Incident]] = deque(maxlen=most)

    def note(self, camera_id: str, incidents: Iterable[Incident]) -> None:
        """Add what a camera has just found."""
        with self._lock:
            self._waiting.extend((camera_id, incident) for incident in incidents)

    def take(self) -> list[tuple[str, Incident]]:
        """Camera and incident of everything since the last call, oldest first."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            return taken
