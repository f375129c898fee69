"""Questions about data quality → coverage, gaps, maintenance and anomalies."""

from __future__ import annotations

from datetime import UTC, datetime

from common.errors import NotFoundError
from coordinator.security.actors import current_actor
from coordinator.security.audit_entries import Action, Deed
from coordinator.security.audit_store import append
from coordinator.traffic.anomaly_store import Anomaly, AnomalyFilter, AnomalyStore, ReviewState
from coordinator.traffic.answers import CameraSums
from coordinator.traffic.answers_store import AnswersStore, widest_within
from coordinator.traffic.gap_store import GapStore, KnownGap, Work
from coordinator.traffic.pages import watched_of
from coordinator.traffic.periods import Period, Width, whole_bins
from coordinator.traffic.quality_views import (
    AnomaliesView,
    AnomalyQuestion,
    AnomalyView,
    CameraQualityView,
    GapView,
    MaintenanceView,
    NewMaintenance,
    NoteView,
    QualityView,
)
from coordinator.traffic.quality_watch import scan_gaps, scan_site
from coordinator.traffic.questions import Question
from coordinator.traffic.range_coverage import range_fields
from coordinator.traffic.scenes import Camera, Scene
from coordinator.traffic.store import SceneStore, Session


class QualityAnswers:
    """Data quality, for one tenant at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read and write through ``session``."""
        self._session = session
        self._tenant_id = tenant_id
        self._now = now
        self._scenes = SceneStore(session, tenant_id)
        self._store = AnswersStore(session, tenant_id)
        self._gaps = GapStore(session, tenant_id)
        self._anomalies = AnomalyStore(session, tenant_id)

    def quality(self, site: str, question: Question) -> QualityView:
        """Coverage, gaps and maintenance of a site.

        Raises:
            NotFoundError: No such site.
        """
        scene = self._scenes.scene(site)
        zone = scene.site.zone
        period = whole_bins(question.period(zone), Width.QUARTER_HOUR, zone)
        cameras = [c for c in scene.cameras if question.camera in (None, c.slug)]
        ids = [camera.id for camera in cameras]
        slugs = {camera.id: camera.slug for camera in cameras}
        sums = {
            row.camera_id: row
            for row in self._store.coverage_of_period(ids, widest_within(period), period)
        }
        return QualityView(
            **range_fields(scene, period),
            cameras=[self._camera(camera, sums.get(camera.id), period) for camera in cameras],
            gaps=[_gap(slugs, known) for known in self._gaps.gaps(ids, period)],
            maintenance=[_work(slugs, work) for work in self._gaps.works(ids, period)],
        )

    def scan(self, site: str) -> None:
        """Bring the gap ledger up to date and look for anomalies now.

        Raises:
            NotFoundError: No such site.
        """
        scan_site(self._session, self._tenant_id, site, now=self._now)

    def add_maintenance(self, site: str, camera: str, body: NewMaintenance) -> MaintenanceView:
        """Remember a maintenance window, and name the gaps in it so.

        Raises:
            NotFoundError: No such site or camera.
        """
        found = _camera(self._scenes.scene(site), camera)
        period = Period(body.start.astimezone(UTC), body.end.astimezone(UTC))
        work = Work(camera_id=found.id, period=period, note=body.note)
        self._gaps.add_work(work, now=self._now)
        if period.start < self._now:
            scan_gaps(self._gaps, found.id, now=self._now, since=period.start)
        return _work({found.id: found.slug}, work)

    def anomalies(self, question: AnomalyQuestion) -> AnomaliesView:
        """Anomalies that match, newest first.

        Raises:
            NotFoundError: No such site.
        """
        places = self._places()
        found = self._anomalies.anomalies(self._filter(places, question))
        shown = found[: question.limit]
        return AnomaliesView(
            anomalies=[_anomaly(places, one) for one in shown],
            next_before=shown[-1].id if len(found) > len(shown) else None,
        )

    def anomaly_counts(self, question: AnomalyQuestion) -> dict[ReviewState, int]:
        """State → anomalies that match, whatever state and page the question names.

        Raises:
            NotFoundError: No such site.
        """
        return self._anomalies.counts(self._filter(self._places(), question))

    def anomaly(self, anomaly_id: int) -> AnomalyView:
        """One anomaly with its notes.

        Raises:
            NotFoundError: No such anomaly.
        """
        return _anomaly(self._places(), self._anomalies.anomaly(anomaly_id))

    def review(self, anomaly_id: int, *, state: ReviewState | None, text: str) -> AnomalyView:
        """Write a note; with a ``state``, that becomes the state of the anomaly.

        Raises:
            NotFoundError: No such anomaly.
        """
        actor = current_actor()
        found = self._anomalies.review(
            anomaly_id, state=state, text=text, author=actor.name, now=self._now
        )
        shown = _anomaly(self._places(), found)
        deed = Deed(
            actor=actor,
            action=Action.ANOMALY_REVIEWED,
            subject=f"{shown.site}: anomaly {anomaly_id}",
            detail={
                "camera": shown.camera,
                "kind": shown.kind.value,
                "state": state.value if state else None,
                "note": bool(text),
            },
            at=self._now,
        )
        append(self._session, self._tenant_id, deed)
        return shown

    def _filter(
        self, places: dict[int, tuple[str, str]], question: AnomalyQuestion
    ) -> AnomalyFilter:
        ids = None
        if question.site is not None:
            self._scenes.site(question.site)
            ids = [camera for camera, (site, _) in places.items() if site == question.site]
        return AnomalyFilter(
            camera_ids=ids,
            state=question.state,
            kind=question.kind,
            period=question.period,
            before=question.before,
            limit=question.limit + 1,
        )

    def _places(self) -> dict[int, tuple[str, str]]:
        return {
            camera.id: (scene.site.slug, camera.slug)
            for scene in self._scenes.scenes()
            for camera in scene.cameras
        }

    def _camera(self, camera: Camera, sums: CameraSums | None, period: Period) -> CameraQualityView:
        end = min(period.end, self._now)
        wanted_s = max(1.0, (end - period.start).total_seconds())
        watched = watched_of(sums, wanted_s)
        frames = sums.frames_seen + sums.frames_dropped if sums else 0
        scan = self._gaps.scan(camera.id)
        return CameraQualityView(
            camera=camera.slug,
            coverage=round(watched.coverage, 4),
            quality=round(watched.quality, 4),
            verdict=watched.verdict,
            frames_dropped_share=sums.frames_dropped / frames if sums and frames else None,
            gap_threshold_s=scan.threshold_s if scan else None,
            learned_from_pauses=scan.learned_from_pauses if scan else None,
        )


def _camera(scene: Scene, slug: str) -> Camera:
    for camera in scene.cameras:
        if camera.slug == slug:
            return camera
    raise NotFoundError(
        f"camera {slug!r} is not known at {scene.site.slug!r}",
        hint=f"GET /api/v1/sites/{scene.site.slug} lists its cameras",
    )


def _gap(slugs: dict[int, str], known: KnownGap) -> GapView:
    return GapView(
        camera=slugs[known.camera_id],
        start=known.gap.start,
        end=known.gap.end,
        seconds=known.gap.seconds,
        reason=known.gap.reason,
        threshold_s=known.threshold_s,
    )


def _work(slugs: dict[int, str], work: Work) -> MaintenanceView:
    return MaintenanceView(
        camera=slugs[work.camera_id],
        start=work.period.start,
        end=work.period.end,
        note=work.note,
    )


def _anomaly(places: dict[int, tuple[str, str]], anomaly: Anomaly) -> AnomalyView:
    site, camera = places[anomaly.finding.camera_id]
    return AnomalyView(
        id=anomaly.id,
        site=site,
        camera=camera,
        kind=anomaly.finding.kind,
        subject=anomaly.finding.subject,
        start=anomaly.finding.start,
        end=anomaly.finding.end,
        score=anomaly.finding.score,
        detail=anomaly.finding.detail,
        state=anomaly.state,
        found_at=anomaly.found_at,
        reviewed_at=anomaly.reviewed_at,
        notes=[
            NoteView(at=note.at, state=note.state, text=note.text, author=note.author)
            for note in anomaly.notes
        ],
    )
