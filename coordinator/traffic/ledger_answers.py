"""Which places and days → the gap ledger as people read it: a page of it, and strips of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.traffic.gap_store import GapScan, GapStore, KnownGap, Work
from coordinator.traffic.gaps import Reason
from coordinator.traffic.ledger_store import LedgerFilter, LedgerStore
from coordinator.traffic.periods import Period
from coordinator.traffic.scenes import Camera, Scene, Site
from coordinator.traffic.store import SceneStore, Session

MOST_DRAWN = 20_000
"""Gaps that are drawn at most; more cannot be told apart on any screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuestion:
    """Which gaps are wanted.

    Attributes:
        site: Slug, None for all sites.
        reason: Only gaps of this reason.
        page: From 1.
        per_page: Gaps on one page.
    """

    period: Period
    site: str | None = None
    reason: Reason | None = None
    page: int = 1
    per_page: int = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A camera, its site, and how far its ledger is written.

    Attributes:
        scan: None before the first scan of this camera.
    """

    site: Site
    camera: Camera
    scan: GapScan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedGap:
    """A gap with its camera."""

    place: Place
    known: KnownGap


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One camera over the period.

    Attributes:
        gaps: Oldest first.
        lost_s: Seconds of the period inside gaps, maintenance not counted.
    """

    place: Place
    gaps: tuple[KnownGap, ...]
    works: tuple[Work, ...]
    lost_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A page of the ledger, and every camera that it is about.

    Attributes:
        gaps: Newest first.
        total: Gaps on all pages.
        strips: The cameras that lost most come first.
    """

    gaps: tuple[PlacedGap, ...]
    total: int
    strips: tuple[Strip, ...]


class LedgerAnswers:
    """The gap ledger, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._scenes = SceneStore(session, tenant_id)
        self._gaps = GapStore(session, tenant_id)
        self._ledger = LedgerStore(session, tenant_id)

    def sites(self) -> list[Site]:
        """Every site, by slug."""
        return self._scenes.sites()

    def ledger(self, question: LedgerQuestion) -> Ledger:
        """Gaps that match, and the strips of all cameras asked about.

        Raises:
            NotFoundError: No such site.
        """
        places = {place.camera.id: place for place in self._places(question.site)}
        wanted = LedgerFilter(
            camera_ids=list(places), period=question.period, reason=question.reason
        )
        skip = (question.page - 1) * question.per_page
        shown = self._ledger.page(wanted, skip=skip, most=question.per_page)
        return Ledger(
            gaps=tuple(PlacedGap(place=places[known.camera_id], known=known) for known in shown),
            total=self._ledger.count(wanted),
            strips=self._strips(places, wanted),
        )

    def _places(self, site: str | None) -> list[Place]:
        scenes: Sequence[Scene]
        scenes = self._scenes.scenes() if site is None else [self._scenes.scene(site)]
        cameras = [(scene.site, camera) for scene in scenes for camera in scene.cameras]
        scans = self._ledger.scans([camera.id for _, camera in cameras])
        return [
            Place(site=site_, camera=camera, scan=scans.get(camera.id)) for site_, camera in cameras
        ]

    def _strips(self, places: dict[int, Place], wanted: LedgerFilter) -> tuple[Strip, ...]:
        gaps: dict[int, list[KnownGap]] = {camera_id: [] for camera_id in places}
        for known in self._ledger.page(wanted, skip=0, most=MOST_DRAWN):
            gaps[known.camera_id].append(known)
        works: dict[int, list[Work]] = {camera_id: [] for camera_id in places}
        for work in self._gaps.works(list(places), wanted.period):
            works[work.camera_id].append(work)
        strips = [
            Strip(
                place=place,
                gaps=tuple(reversed(gaps[camera_id])),
                works=tuple(works[camera_id]),
                lost_s=sum(_lost_s(known, wanted.period) for known in gaps[camera_id]),
            )
            for camera_id, place in places.items()
        ]
        return tuple(sorted(strips, key=_worst_first))


def _worst_first(strip: Strip) -> tuple[float, str, str]:
    return -strip.lost_s, strip.place.site.slug, strip.place.camera.slug


def _lost_s(known: KnownGap, period: Period) -> float:
    """Seconds of the gap inside ``period``; time in which somebody worked is not lost."""
    if known.gap.reason is Reason.MAINTENANCE:
        return 0.0
    start, end = max(known.gap.start, period.start), min(known.gap.end, period.end)
    return max(0.0, (end - start).total_seconds())
