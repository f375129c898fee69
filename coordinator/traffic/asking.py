"""A question and a site → the series it is about, the page, and how well that was watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from coordinator.traffic.answers import CountSums
from coordinator.traffic.answers_store import AnswersStore
from coordinator.traffic.count_grid_store import CountGridStore
from coordinator.traffic.coverage import State, Watched, state_of
from coordinator.traffic.pages import Coverage, Page, page_of
from coordinator.traffic.questions import BinQuestion
from coordinator.traffic.scenes import Scene, Series
from coordinator.traffic.store import SceneStore, Session

Selects = Callable[[Scene, Series], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with what it is about."""

    scene: Scene
    series: Sequence[Series]
    page: Page
    coverage: Coverage

    @property
    def ids(self) -> list[int]:
        """Ids of the chosen series."""
        return [series.id for series in self.series]

    def only(self, kind: str) -> Asked:
        """The same question about the series of one kind."""
        return replace(self, series=[series for series in self.series if series.kind == kind])

    def bins(self, series: Series, view: Callable[[Series, datetime, Watched], Any]) -> list[Any]:
        """A view of every bin of the page."""
        return [
            view(series, start, self.coverage.of(series.camera_id, start))
            for start in self.page.starts
        ]


class Asker:
    """Finds what questions of one tenant are about, at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read through ``session``; bins after ``now`` are not answered."""
        self.scenes = SceneStore(session, tenant_id)
        self.store = AnswersStore(session, tenant_id)
        self.grid = CountGridStore(session, tenant_id)
        self.now = now

    def ask(
        self, site: str, question: BinQuestion, selects: Selects, *, is_added: bool = False
    ) -> Asked:
        """The series that ``selects`` takes, and one page of bins.

        Args:
            site: Slug of the site.
            question: Range, width and the most rows of a page.
            selects: True for the series that the question is about.
            is_added: A bin is one row, however many series there are.

        Raises:
            NotFoundError: No such site.
        """
        scene = self.scenes.scene(site)
        series = [one for one in scene.series if selects(scene, one)]
        rows_per_bin = 1 if is_added else max(1, len(series))
        page = page_of(
            question.bins(scene.site.zone),
            question.width,
            scene,
            most_bins=max(1, question.limit // rows_per_bin),
            now=self.now,
        )
        cameras = sorted({one.camera_id for one in series})
        told = self.grid.coverage(cameras, page)
        return Asked(scene=scene, series=series, page=page, coverage=Coverage(scene, page, told))


def of_kind(question: BinQuestion, kind: str) -> Selects:
    """Takes the series of one kind that ``question`` is about."""
    return lambda scene, series: series.kind == kind and question.selects(scene, series)


def state_of_counts(row: CountSums | None, watched: Watched) -> State:
    """Whether there is a count, and if not, why."""
    return state_of(
        has_number=row is not None and row.counts is not None,
        withheld_bins=row.withheld_bins if row else 0,
        watched=watched,
    )
