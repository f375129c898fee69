"""Scene time → what the signal heads of the junction show.

Split phasing: each leg has its own green and people on foot a phase of their own
(HCM 2016, ch. 19), so nobody's way is crossed while they have green.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ORDER = ("south", "west", "north", "east")
GREEN_S, YELLOW_S, ALL_RED_S = 11.0, 3.0, 2.0
WALK_S, CLEARANCE_S = 5.0, 10.0


class Signal(StrEnum):
    """What a head shows."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class SignalProgram:
    """A fixed-time program; ``offset_s`` shifts it against scene time."""

    offset_s: float = 0.0

    @property
    def cycle_s(self) -> float:
        """Time after which the program repeats."""
        return len(ORDER) * (GREEN_S + YELLOW_S + ALL_RED_S) + WALK_S + CLEARANCE_S

    def for_leg(self, leg: str, at_s: float) -> Signal:
        """What vehicles from ``leg`` see."""
        part = GREEN_S + YELLOW_S + ALL_RED_S
        since = (at_s + self.offset_s) % self.cycle_s - ORDER.index(leg) * part
        if 0 <= since < GREEN_S:
            return Signal.GREEN
        return Signal.YELLOW if GREEN_S <= since < GREEN_S + YELLOW_S else Signal.RED

    def may_start_walking(self, at_s: float) -> bool:
        """True while people on foot may step off the kerb and still get over in time."""
        since = (at_s + self.offset_s) % self.cycle_s
        start = self.cycle_s - WALK_S - CLEARANCE_S
        return start <= since < start + WALK_S
