"""The kernel's files → how warm, powered, busy and full this box is, as far as it can tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_COLDEST_C, _HOTTEST_C = -40.0, 150.0
"""A zone outside of this is switched off or broken."""
_RAIL_CHANNELS = 3
_TOTAL_RAILS = ("VDD_IN", "POM_5V_IN", "VIN")
"""Labels of the rail that everything hangs on: Jetson Orin and Xavier, Nano, others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the sensors tell; None is *not known*, never 0.

    Attributes:
        temperature_c: Hottest zone.
        is_on_mains: False on battery.
        power_w: What the box draws.
        load: Share of the processor used since the last reading by everything that is not
            background work (``nice``), in [0, 1].
        free_memory_mb: What can be had without swapping.
    """

    temperature_c: float | None = None
    is_on_mains: bool | None = None
    power_w: float | None = None
    load: float | None = None
    free_memory_mb: float | None = None


class Sensors:
    """Reads the files below a root; tests bring their own."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._ticks: tuple[int, int] | None = None

    def read(self) -> Reading:
        """Everything at this moment; the load needs a second reading."""
        return Reading(
            temperature_c=self.temperature_c(),
            is_on_mains=self.is_on_mains(),
            power_w=self.power_w(),
            load=self.load(),
            free_memory_mb=self.free_memory_mb(),
        )

    def temperature_c(self) -> float | None:
        """The hottest of the thermal zones (kernel: sysfs-api for thermal, millidegrees)."""
        zones = sorted((self._root / "sys/class/thermal").glob("thermal_zone*/temp"))
        values = [raw / 1000 for zone in zones if (raw := _whole(zone)) is not None]
        sane = [value for value in values if _COLDEST_C < value < _HOTTEST_C]
        return max(sane, default=None)

    def is_on_mains(self) -> bool | None:
        """Whether a mains supply is online; without one, whether no battery is discharging."""
        mains: list[bool] = []
        discharging: list[bool] = []
        for supply in sorted((self._root / "sys/class/power_supply").glob("*")):
            kind = _text(supply / "type")
            if kind in ("Mains", "USB") and (online := _whole(supply / "online")) is not None:
                mains.append(online > 0)
            elif kind in ("Battery", "UPS") and (status := _text(supply / "status")):
                discharging.append(status == "Discharging")
        if mains:
            return any(mains)
        return not any(discharging) if discharging else None

    def power_w(self) -> float | None:
        """What the rail of the whole box draws, by an INA3221 as Jetson boards have it."""
        for name in sorted((self._root / "sys/class/hwmon").glob("hwmon*/name")):
            if _text(name) != "ina3221":
                continue
            for channel in range(1, _RAIL_CHANNELS + 1):
                if _text(name.with_name(f"in{channel}_label")) not in _TOTAL_RAILS:
                    continue
                millivolts = _whole(name.with_name(f"in{channel}_input"))
                milliamperes = _whole(name.with_name(f"curr{channel}_input"))
                if millivolts is not None and milliamperes is not None:
                    return millivolts * milliamperes / 1e6
        return None

    def load(self) -> float | None:
        """Busy share since the last call, ``nice`` work left out (proc(5), ``/proc/stat``).

        The trainer and the better pass run with the lowest priority and give way; counting
        them would make a box unready by being used.
        """
        words = (_text(self._root / "proc/stat") or "").partition("\n")[0].split()
        if len(words) < 9 or words[0] != "cpu" or not all(word.isdigit() for word in words[1:9]):
            return None
        user, nice, system, idle, waiting, hard, soft, stolen = (int(word) for word in words[1:9])
        busy = user + system + hard + soft + stolen
        ticks = busy, busy + nice + idle + waiting
        before, self._ticks = self._ticks, ticks
        if before is None or ticks[1] <= before[1]:
            return None
        return min(max((ticks[0] - before[0]) / (ticks[1] - before[1]), 0.0), 1.0)

    def free_memory_mb(self) -> float | None:
        """``MemAvailable`` of ``/proc/meminfo``."""
        for line in (_text(self._root / "proc/meminfo") or "").splitlines():
            name, _, value = line.partition(":")
            words = value.split()
            if name == "MemAvailable" and words and words[0].isdigit():
                return int(words[0]) * 1024 / 1e6
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None  # sensors come and go, and some refuse to be read


def _whole(path: Path) -> int | None:
    text = _text(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None
