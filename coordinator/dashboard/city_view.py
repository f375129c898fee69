"""What the services say of every site → the city as one page shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from coordinator.fleet.overview import BoxOverview
from coordinator.fleet.presence import is_online
from coordinator.fleet.states import DeviceState
from coordinator.traffic.movement_views import CitySiteView
from coordinator.traffic.pulse_answers import Pulse
from coordinator.traffic.usual import Pace
from coordinator.traffic.views import SiteView


class Show(StrEnum):
    """Which sites are shown."""

    ALL = "all"
    TROUBLE = "trouble"
    UNUSUAL = "unusual"
    BLIND = "blind"
    UNPLACED = "unplaced"


SHOWN_AS: Mapping[Show, str] = {
    Show.ALL: "All sites",
    Show.TROUBLE: "Needs attention",
    Show.UNUSUAL: "Not as usual",
    Show.BLIND: "Not watched now",
    Show.UNPLACED: "Without a position",
}

_TROUBLED_QUALITY = 0.8

PACES: Mapping[Pace, tuple[str, str]] = {
    Pace.AS_USUAL: ("As usual", "good"),
    Pace.BUSIER: ("Busier", "watch"),
    Pace.QUIETER: ("Quieter", "info"),
    Pace.UNKNOWN: ("No comparison", "none"),
}
"""Pace → words and tone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """The enrolled boxes of one site."""

    online: int = 0
    total: int = 0
    versions: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True when every box is there."""
        return self.online == self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class CitySite:
    """One site on the city page."""

    site: SiteView
    day: CitySiteView
    pulse: Pulse
    boxes: Boxes

    @property
    def is_placed(self) -> bool:
        """True when the map can show it."""
        return self.site.latitude is not None and self.site.longitude is not None

    @property
    def is_set_up(self) -> bool:
        """True when it has a camera; before that there is nothing to watch with."""
        return self.pulse.cameras > 0

    @property
    def is_blind(self) -> bool:
        """True when there is no number for the last complete quarter hour, and should be."""
        return self.is_set_up and self.pulse.vehicles is None

    @property
    def is_troubled(self) -> bool:
        """True when somebody should look: nothing watched, doubtful numbers, a box away."""
        is_doubtful = self.is_set_up and self.day.quality < _TROUBLED_QUALITY
        return self.is_blind or is_doubtful or not self.boxes.is_whole

    @property
    def words(self) -> str:
        """The state of its traffic."""
        if not self.is_set_up:
            return "No camera yet"
        if self.is_blind:
            return "Not watched"
        if not self.pulse.is_whole:
            return "Partly watched"
        return PACES[self.pulse.pace][0]

    @property
    def tone(self) -> str:
        """The colour that goes with it."""
        if self.is_blind:
            return "bad"
        if not self.is_set_up:
            return "none"
        return PACES[self.pulse.pace][1]

    def is_shown(self, show: Show, text: str) -> bool:
        """True when it passes the filter and its name or slug holds ``text``."""
        passes = {
            Show.ALL: True,
            Show.TROUBLE: self.is_troubled,
            Show.UNUSUAL: self.pulse.pace in (Pace.BUSIER, Pace.QUIETER),
            Show.BLIND: self.is_blind,
            Show.UNPLACED: not self.is_placed,
        }[show]
        wanted = text.casefold()
        return passes and (
            wanted in self.site.name.casefold() or wanted in self.site.site.casefold()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Every site, and the city in a few numbers."""

    sites: Sequence[CitySite]

    @property
    def vehicles(self) -> int | None:
        """In the last complete quarter hour, on the flows of the sites that were watched."""
        known = [
            one.pulse.vehicles
            for one in self.sites
            if one.pulse.vehicles is not None and not one.pulse.is_crossings
        ]
        return sum(known) if known else None

    @property
    def set_up(self) -> list[CitySite]:
        """Sites with a camera."""
        return [one for one in self.sites if one.is_set_up]

    @property
    def watched(self) -> int:
        """Sites with a number for the last complete quarter hour."""
        return sum(not one.is_blind for one in self.set_up)

    @property
    def unusual(self) -> int:
        """Sites that are busier or quieter than usual."""
        return sum(one.is_shown(Show.UNUSUAL, "") for one in self.sites)

    @property
    def quality(self) -> float | None:
        """Share of today that was watched without doubt, over all sites with a camera."""
        qualities = [one.day.quality for one in self.set_up]
        return sum(qualities) / len(qualities) if qualities else None

    @property
    def online(self) -> int:
        """Boxes that are there."""
        return sum(one.boxes.online for one in self.sites)

    @property
    def boxes(self) -> int:
        """Boxes that should be there."""
        return sum(one.boxes.total for one in self.sites)

    @property
    def unplaced(self) -> list[CitySite]:
        """Sites that the map cannot show."""
        return [one for one in self.sites if not one.is_placed]

    def shown(self, show: Show, text: str) -> list[CitySite]:
        """Sites that pass, the ones that need somebody first."""
        found = [one for one in self.sites if one.is_shown(show, text.strip())]
        return sorted(found, key=lambda one: (not one.is_troubled, one.site.name.casefold()))


def city_of(
    sites: Iterable[SiteView],
    days: Iterable[CitySiteView],
    pulses: Mapping[str, Pulse],
    boxes: Mapping[str, Boxes],
) -> City:
    """Put together what is known of each site; a site that one of them does not know is left out.

    Sites may be made between two questions.
    """
    of_day = {day.site: day for day in days}
    return City(
        sites=[
            CitySite(
                site=site,
                day=of_day[site.site],
                pulse=pulses[site.site],
                boxes=boxes.get(site.site, Boxes()),
            )
            for site in sites
            if site.site in of_day and site.site in pulses
        ]
    )


def boxes_by_site(overview: Iterable[BoxOverview], now: datetime) -> dict[str, Boxes]:
    """Slug → its enrolled boxes, and which models they count with."""
    online: Counter[str] = Counter()
    total: Counter[str] = Counter()
    versions: dict[str, set[str]] = {}
    for box in overview:
        if box.device.state is not DeviceState.ENROLLED:
            continue
        site = box.device.site
        total[site] += 1
        online[site] += is_online(box.device.last_seen_at, now)
        if box.health is not None:
            release = box.health.release
            version = release.active_version if release is not None else box.health.model
            versions.setdefault(site, set()).add(version)
    return {
        site: Boxes(
            online=online[site],
            total=total[site],
            versions=tuple(sorted(versions.get(site, ()))),
        )
        for site in total
    }
