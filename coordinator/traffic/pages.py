"""A question and a scene → the bins of one page, and how well each was watched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from coordinator.traffic.answers import CameraSums
from coordinator.traffic.coverage import State, Verdict, Watched
from coordinator.traffic.periods import Period, Width, bin_end, bin_seconds, bin_starts
from coordinator.traffic.scenes import Scene, Series

Told = tuple[int, float, float, int]
"""Reported bins, seconds watched, seconds watched without doubt, and degraded bins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The bins that one answer holds.

    Attributes:
        starts: Starts of the bins, in order.
        period: From the first start to the end of the last bin, which may lie ahead of now.
        next_from: Start of the first bin that did not fit, or None.
        now: Bins that are still running want only the time that has passed.
    """

    width: Width
    starts: tuple[datetime, ...]
    period: Period
    next_from: datetime | None
    now: datetime

    def places(self) -> dict[int, int]:
        """Start of each bin, in seconds since 1970 → its place among ``starts``."""
        if self.width is Width.DAY or not self.starts:
            return {int(start.timestamp()): n for n, start in enumerate(self.starts)}
        first, step = int(self.starts[0].timestamp()), self.width.seconds
        return {first + n * step: n for n in range(len(self.starts))}


def page_of(asked: Period, width: Width, scene: Scene, *, most_bins: int, now: datetime) -> Page:
    """The first ``most_bins`` bins of ``asked`` that have begun."""
    zone = scene.site.zone
    starts = [start for start in bin_starts(asked, width, zone) if start < now]
    shown = starts[:most_bins]
    period = (
        Period(shown[0], bin_end(shown[-1], width, zone))
        if shown
        else Period(asked.start, asked.start)
    )
    return Page(
        width=width,
        starts=tuple(shown),
        period=period,
        next_from=starts[most_bins] if len(starts) > most_bins else None,
        now=now,
    )


class Coverage:
    """How well each camera watched in each bin of a page; unreported bins included."""

    def __init__(
        self, scene: Scene, page: Page, reported: Mapping[int, Mapping[int, Told]]
    ) -> None:
        """Look up what was ``reported``, by camera and place of the bin."""
        wanted_s = _wanted_s(scene, page)
        self._starts = page.starts
        self._nothing = [_watched(seconds, 0.0, 0.0, 0, 0) for seconds in wanted_s]
        self._known: dict[int, list[Watched]] = {}
        for camera_id, told in reported.items():
            watched = self._known[camera_id] = list(self._nothing)
            for place, (bins, watched_s, good_s, degraded) in told.items():
                watched[place] = _watched(wanted_s[place], watched_s, good_s, bins, degraded)
        self._places: dict[datetime, int] = {}

    def all_of(self, camera_id: int) -> list[Watched]:
        """How well one camera watched, bin by bin."""
        return self._known.get(camera_id, self._nothing)

    def of(self, camera_id: int, start: datetime) -> Watched:
        """How well one camera watched in one bin."""
        if not self._places:
            self._places = {start: place for place, start in enumerate(self._starts)}
        return self.all_of(camera_id)[self._places[start]]


def _wanted_s(scene: Scene, page: Page) -> list[float]:
    """Length of every bin; of the one that is still running, what has passed of it."""
    zone = scene.site.zone
    if page.width is Width.DAY:
        lengths = [bin_seconds(start, page.width, zone) for start in page.starts]
    else:
        lengths = [float(page.width.seconds)] * len(page.starts)
    if page.starts:
        lengths[-1] = max(1.0, min(lengths[-1], (page.now - page.starts[-1]).total_seconds()))
    return lengths


def watched_of(sums: CameraSums | None, wanted_s: float) -> Watched:
    """Sums of a store → how well was watched; nothing was where nothing was reported."""
    if sums is None:
        return _watched(wanted_s, 0.0, 0.0, 0, 0)
    return _watched(wanted_s, sums.coverage_s, sums.good_s, sums.bins, sums.degraded_bins)


@lru_cache(maxsize=4096)
def _watched(wanted_s: float, watched_s: float, good_s: float, bins: int, degraded: int) -> Watched:
    # Most bins of an answer were watched equally well: wholly.
    return Watched(
        wanted_s=wanted_s,
        watched_s=watched_s,
        good_s=good_s,
        reported_bins=bins,
        degraded_bins=degraded,
    )


def together(watched: Sequence[Watched]) -> Watched:
    """Several cameras or bins as one: seconds add up.

    Raises:
        ValueError: There is nothing to add.
    """
    if not watched:
        raise ValueError("nothing to add, expected one camera or bin or more")
    if len(watched) == 1:
        return watched[0]
    return Watched(
        wanted_s=sum(part.wanted_s for part in watched),
        watched_s=sum(min(part.watched_s, part.wanted_s) for part in watched),
        good_s=sum(part.good_s for part in watched),
        reported_bins=sum(part.reported_bins for part in watched),
        degraded_bins=sum(part.degraded_bins for part in watched),
    )


def bin_fields(start: datetime, watched: Watched, state: State) -> dict[str, Any]:
    """What every ``BinView`` begins with."""
    coverage, quality, verdict = _figures(watched)
    return {
        "start": start,
        "state": state,
        "coverage": coverage,
        "quality": quality,
        "verdict": verdict,
    }


def watched_fields(watched: Sequence[Watched]) -> dict[str, Any]:
    """What every ``WatchedView`` is made of."""
    # Most bins are one and the same object: hashing its five numbers again costs more.
    known = {id(one): one for one in watched}
    figures = {key: _figures(one) for key, one in known.items()}
    rows = [figures[id(one)] for one in watched]
    return {
        "coverage": [coverage for coverage, _, _ in rows],
        "quality": [quality for _, quality, _ in rows],
        "verdict": [verdict for _, _, verdict in rows],
    }


@lru_cache(maxsize=4096)
def _figures(watched: Watched) -> tuple[float, float, Verdict]:
    return round(watched.coverage, 4), round(watched.quality, 4), watched.verdict


def answer_fields(scene: Scene, page: Page) -> dict[str, Any]:
    """What every ``AnswerView`` in bins begins with."""
    return {
        "site": scene.site.slug,
        "timezone": scene.site.timezone,
        "from_": page.period.start,
        "to": page.period.end,
        "next_from": page.next_from,
        "width": page.width,
    }


def series_fields(scene: Scene, series: Series) -> dict[str, Any]:
    """What every view of one series begins with."""
    return {
        "camera": scene.camera_of(series),
        "name": series.name,
        "direction": series.direction,
    }


def by_place(rows: Iterable[Any]) -> Mapping[tuple[int, datetime], Any]:
    """Sums by series id and start."""
    return {(row.series_id, row.start): row for row in rows}
