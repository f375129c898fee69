"""A site and a day → what is usual there, worked out once in a while instead of at every look.

The past hardly changes: reports that arrive weeks late change it a little later here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from coordinator.traffic.usual import Usual

KEPT_FOR = timedelta(minutes=15)
_MOST_DAYS = 256
"""Of about 700 numbers each: some 20 MB at the most."""

Key = tuple[str, str, str, date]
"""Tenant, site, kind and local day."""

UsualDay = Mapping[str, Sequence[Usual | None]]


@dataclass(slots=True)
class UsualDays:
    """A bounded memory, safe to share between threads."""

    _known: OrderedDict[Key, tuple[datetime, UsualDay]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: Key, now: datetime, work_out: Callable[[], UsualDay]) -> UsualDay:
        """What is remembered, or else worked out now; two at once may both work it out."""
        with self._lock:
            known = self._known.get(key)
        if known is not None and timedelta(0) <= now - known[0] < KEPT_FOR:
            return known[1]
        found = work_out()
        with self._lock:
            self._known[key] = (now, found)
            self._known.move_to_end(key)
            while len(self._known) > _MOST_DAYS:
                self._known.popitem(last=False)
        return found
