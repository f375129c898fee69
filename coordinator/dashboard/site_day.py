"""One local day of a site, and the weeks before it → the numbers that its page draws.

Every list has a value for every quarter hour of the day, the ones ahead included; where there is
no number it is None, whatever the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from common.road_users import ROAD_USERS, RoadUser
from coordinator.traffic.coverage import FULL_SHARE
from coordinator.traffic.peak_hour import PeakHour, QuarterHour, find_peak_hour
from coordinator.traffic.periods import Width, bin_starts, local_day
from coordinator.traffic.speed_figures import mean_kmh, percentile_kmh
from coordinator.traffic.usual import FEWEST_WEEKS, Usual, usual_of
from coordinator.traffic.views import SpeedsView, TotalsView

WEEKS = 5
"""Past weeks that the usual is made of: recent enough to be this season's."""

GROUPS: Mapping[str, Sequence[RoadUser]] = {
    "vehicles": [user for user in ROAD_USERS if user.is_vehicle],
    **{user.value: [user] for user in ROAD_USERS},
}
"""What is drawn: all classes but people on foot, then each class."""

_QUARTER = timedelta(minutes=15)

Counts = Sequence[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDay:
    """One class of road users, or all vehicles together.

    Attributes:
        name: Of the class, or ``vehicles``.
        counts: Quarter hour by quarter hour.
        usual: Of past weeks, quarter hour by quarter hour.
        whole: Whether a quarter hour is over and was watched throughout, so that it may be
            compared.
    """

    name: str
    counts: Counts
    usual: Sequence[Usual | None]
    whole: Sequence[bool]

    @property
    def total(self) -> int | None:
        """What was counted; None when nothing was."""
        known = [number for number in self.counts if number is not None]
        return sum(known) if known else None

    @property
    def change(self) -> float | None:
        """Share above the usual, of the quarter hours that may be compared; None without any."""
        both = [
            (number, usual.middle)
            for number, usual, is_whole in zip(self.counts, self.usual, self.whole, strict=True)
            if is_whole and number is not None and usual is not None
        ]
        usual_total = sum(middle for _, middle in both)
        return sum(number for number, _ in both) / usual_total - 1 if usual_total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedDay:
    """All directions together; km/h."""

    mean_kmh: Sequence[float | None]
    v85_kmh: Sequence[float | None]
    day_mean_kmh: float | None
    day_v85_kmh: float | None
    measured: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDay:
    """One day of one site.

    Attributes:
        is_crossings: No flow is drawn: what is counted are crossings of all lines.
        coverage: Watched share of each quarter hour that has begun.
        classes: ``vehicles``, then every class.
    """

    day: date
    zone: ZoneInfo
    now: datetime
    starts: Sequence[datetime]
    is_crossings: bool
    coverage: Sequence[float]
    classes: Sequence[ClassDay]

    @property
    def vehicles(self) -> ClassDay:
        """All classes but people on foot."""
        return self.classes[0]

    @property
    def users(self) -> Sequence[ClassDay]:
        """The single classes."""
        return self.classes[1:]

    @property
    def is_today(self) -> bool:
        """True while the day runs at the site."""
        return self.now.astimezone(self.zone).date() == self.day

    @property
    def peak_hour(self) -> PeakHour | None:
        """Of all vehicles; None when no hour was watched throughout."""
        quarters = zip(self.starts, self.vehicles.counts, self.coverage, strict=False)
        return find_peak_hour(
            [QuarterHour(start=s, vehicles=n, coverage=c) for s, n, c in quarters]
        )

    @property
    def missing(self) -> int:
        """Quarter hours that are over and have no number."""
        over = self.now - _QUARTER
        counts = zip(self.starts, self.vehicles.counts, strict=True)
        return sum(number is None and start <= over for start, number in counts)


def site_day(
    day: date,
    today: TotalsView,
    usual: Mapping[str, Sequence[Usual | None]],
    *,
    now: datetime,
    is_crossings: bool = False,
) -> SiteDay:
    """Put a day and what is usual together.

    Args:
        day: Local day of the site.
        today: Quarter hours of that day, all classes.
        usual: What ``usual_day`` found.
        now: Moment of the question.
        is_crossings: Lines were asked for, because no flow is drawn.
    """
    zone = ZoneInfo(today.timezone)
    starts = quarter_hours(day, zone)
    places = {start: place for place, start in enumerate(today.starts)}
    whole = [
        start + _QUARTER <= now
        and (place := places.get(start)) is not None
        and today.coverage[place] >= FULL_SHARE
        for start in starts
    ]
    return SiteDay(
        day=day,
        zone=zone,
        now=now,
        starts=starts,
        is_crossings=is_crossings,
        coverage=today.coverage,
        classes=[
            ClassDay(
                name=name,
                counts=[_number(today, users, places.get(start)) for start in starts],
                usual=usual[name],
                whole=whole,
            )
            for name, users in GROUPS.items()
        ],
    )


def quarter_hours(day: date, zone: ZoneInfo) -> list[datetime]:
    """Starts of the quarter hours of a local day; 92, 96 or 100."""
    return bin_starts(local_day(day, zone), Width.QUARTER_HOUR, zone)


def speed_day(starts: Sequence[datetime], view: SpeedsView) -> SpeedDay:
    """Speeds of all directions together, which a vehicle that crosses two lines enters twice.

    Args:
        starts: Starts of the bins that are drawn; none where only the whole day is wanted.
        view: Bins of one day, of whatever width.
    """
    histograms: dict[datetime, dict[int, int]] = {}
    sums: dict[datetime, tuple[int, float]] = {}
    for one in view.series:
        for found in one.bins:
            _add(histograms.setdefault(found.start, {}), found.histogram)
            if found.mean_kmh is not None:
                n, total = sums.get(found.start, (0, 0.0))
                sums[found.start] = n + found.speeds, total + found.speeds * found.mean_kmh
    whole: dict[int, int] = {}
    for histogram in histograms.values():
        _add(whole, histogram)
    measured = sum(n for n, _ in sums.values())
    return SpeedDay(
        mean_kmh=[mean_kmh(*sums.get(start, (0, 0.0))) for start in starts],
        v85_kmh=[percentile_kmh(histograms.get(start, {}), 85) for start in starts],
        day_mean_kmh=mean_kmh(measured, sum(total for _, total in sums.values())),
        day_v85_kmh=percentile_kmh(whole, 85),
        measured=measured,
    )


def usual_day(
    day: date, zone: ZoneInfo, past: Iterable[TotalsView]
) -> dict[str, Sequence[Usual | None]]:
    """Class, or ``vehicles`` → what is usual in every quarter hour of a day.

    A quarter hour and its two neighbours in each week make fifteen numbers, enough for an edge
    that does not jump.

    Args:
        day: Local day of the site.
        zone: Of the site.
        past: The same weekday in past weeks; quarter hours that were not watched throughout
            are passed over.
    """
    weeks = [_WatchedDay(view, zone) for view in past]
    local = [start.astimezone(zone).time() for start in quarter_hours(day, zone)]
    near = [[week.near(at) for week in weeks] for at in local]
    found: dict[str, Sequence[Usual | None]] = {}
    for name, users in GROUPS.items():
        numbers = [week.numbers(users) for week in weeks]
        found[name] = [_usual(places, numbers) for places in near]
    return found


class _WatchedDay:
    """A past day by local time."""

    def __init__(self, view: TotalsView, zone: ZoneInfo) -> None:
        self._view = view
        # Where clocks go back, the later of two quarter hours of the same name counts.
        self._places = {
            start.astimezone(zone).time(): place
            for place, start in enumerate(view.starts)
            if view.coverage[place] >= FULL_SHARE
        }
        self._near: dict[time, list[int]] = {}

    def near(self, at: time) -> list[int]:
        """Places of a quarter hour and its neighbours; none when it is not known itself."""
        if at not in self._near:
            place = self._places.get(at)
            known = set(self._places.values())
            self._near[at] = (
                [] if place is None else [p for p in (place - 1, place, place + 1) if p in known]
            )
        return self._near[at]

    def numbers(self, users: Sequence[RoadUser]) -> list[int | None]:
        """What was counted, by place."""
        return [_number(self._view, users, place) for place in range(len(self._view.starts))]


def _usual(near: Sequence[Sequence[int]], numbers: Sequence[Sequence[int | None]]) -> Usual | None:
    found = [
        [number for place in places if (number := of_week[place]) is not None]
        for places, of_week in zip(near, numbers, strict=True)
    ]
    known = [week for week in found if week]
    if len(known) < FEWEST_WEEKS:
        return None
    return usual_of([number for week in known for number in week])


def _add(histogram: dict[int, int], more: Mapping[int, int]) -> None:
    for low, number in more.items():
        histogram[low] = histogram.get(low, 0) + number


def _number(view: TotalsView, users: Sequence[RoadUser], place: int | None) -> int | None:
    if place is None:
        return None
    if len(users) == 1:
        return view.counts[users[0]][place]
    found = [view.counts[user][place] for user in users]
    known = [number for number in found if number is not None]
    return sum(known) if len(known) == len(found) else None
