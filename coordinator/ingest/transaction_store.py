"""One batch within one transaction: the ledger, then bins, then everything that hangs on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from common.errors import ConflictError, UnreachableError
from common.messages import (
    BinReport,
    CameraBin,
    HealthReport,
    IncidentReport,
    LossReport,
    SiteReport,
)
from common.plates import PlateReport
from coordinator.bulk_store import Row, moment_text
from coordinator.database import Database
from coordinator.ingest.fleet_store import add_health, mark_seen
from coordinator.ingest.verdicts import Accepted, Fate, Outcome, Refused
from coordinator.plates.store import add_answer
from coordinator.reports.store import (
    Place,
    QuarantineEntry,
    add_reports,
    add_to_quarantine,
    digests_of,
)
from coordinator.traffic.catalogue_store import CameraName, SeriesCatalogue
from coordinator.traffic.intake_rows import BinOwner, BinRows, add_series_rows, camera_row
from coordinator.traffic.intake_store import (
    add_camera_bins,
    add_incidents,
    add_layouts,
    add_losses,
    add_series,
    mark_due,
)


class DataRefusedError(ConflictError):
    """The database does not take some value of a batch; nothing of the batch is stored."""


def commit_batch(
    database: Database,
    catalogue: SeriesCatalogue,
    batch: Sequence[Accepted],
    *,
    seen: Mapping[str, datetime],
    now: datetime,
) -> list[Outcome]:
    """Store a batch, all or none; one outcome a report, in order.

    Raises:
        DataRefusedError: Some value is not taken.
        UnreachableError: The database is away, or has no tables.
    """
    try:
        with database.session() as session:
            transaction = BatchTransaction(session.connection(), catalogue, now=now)
            return transaction.run(batch, seen)
    except (DataError, IntegrityError) as error:
        raise DataRefusedError(type(error.orig).__name__) from error
    except DBAPIError as error:
        # A missing table is nobody's bad data: keep everything until it is there.
        raise UnreachableError(
            f"database does not take reports: {type(error.orig).__name__}",
            hint="run its-camera-ai database status",
        ) from error


class BatchTransaction:
    """The work between BEGIN and COMMIT for one batch; used once."""

    def __init__(
        self, connection: Connection, catalogue: SeriesCatalogue, *, now: datetime
    ) -> None:
        """Every camera and series of the batch must be known to ``catalogue``."""
        self._connection = connection
        self._catalogue = catalogue
        self._now = now
        self._doubts: list[QuarantineEntry] = []
        self._owners: dict[tuple[str, str], BinOwner] = {}

    def run(self, batch: Sequence[Accepted], seen: Mapping[str, datetime]) -> list[Outcome]:
        """Store what is new; one outcome a report, in order."""
        outcomes = self._enter(batch)
        new = [
            (i, each)
            for i, (each, outcome) in enumerate(zip(batch, outcomes, strict=True))
            if outcome.fate is Fate.STORED
        ]
        for i, outcome in self._store_bins(new):
            outcomes[i] = outcome
        self._store_others([each for _, each in new])
        mark_seen(self._connection, seen)
        if self._doubts:
            add_to_quarantine(self._connection, self._doubts, at=self._now)
        return outcomes

    def _enter(self, batch: Sequence[Accepted]) -> list[Outcome]:
        """Into the ledger: new, the same again, or something else at a taken place."""
        received_at = moment_text(self._now)
        first: dict[Place, Accepted] = {}
        for each in batch:
            first.setdefault(_place(each), each)
        fresh = add_reports(
            self._connection, [_report_row(each, received_at) for each in first.values()]
        )
        known = digests_of(self._connection, [place for place in first if place not in fresh])
        digests = {place: each.digest for place, each in first.items()} | known
        return [
            self._entered(each, _place(each) in fresh and first[_place(each)] is each, digests)
            for each in batch
        ]

    def _entered(self, each: Accepted, is_new: bool, digests: Mapping[Place, bytes]) -> Outcome:
        if is_new:
            return Outcome(each.place, Fate.STORED)
        if digests[_place(each)] == each.digest:
            return Outcome(each.place, Fate.DUPLICATE)
        self._doubt(each, Refused.SEQUENCE_REUSED, "another report has this sequence")
        return Outcome(each.place, Fate.REFUSED, Refused.SEQUENCE_REUSED)

    def _store_bins(self, new: Sequence[tuple[int, Accepted]]) -> Iterator[tuple[int, Outcome]]:
        bins = [(i, each, b, self._owner(each, b)) for i, each in new for b in _bins(each)]
        rows: dict[Row, tuple[int, Row]] = {}
        for i, _, b, owner in bins:
            row = camera_row(b, owner)
            rows.setdefault(row[:4], (i, row))
        fresh = add_camera_bins(self._connection, [row for _, row in rows.values()])
        series = BinRows()
        won: dict[int, list[CameraBin]] = {}
        due = []
        for i, _, b, owner in bins:
            key = (owner.camera_id, moment_text(b.start), b.part, b.width_s)
            if key in fresh and rows[key][0] == i:
                ids = self._catalogue.known_series(owner.camera_id)
                add_series_rows(series, b, owner, ids)
                won.setdefault(i, []).append(b)
                due.append((owner.camera_id, b))
        add_series(self._connection, series)
        mark_due(self._connection, due)
        yield from self._outdone(new, won)

    def _outdone(
        self, new: Sequence[tuple[int, Accepted]], won: Mapping[int, list[CameraBin]]
    ) -> Iterator[tuple[int, Outcome]]:
        """Reports of which another one had told all bins; part of them is only remarked."""
        for i, each in new:
            told, stored = len(_bins(each)), len(won.get(i, ()))
            if stored < told:
                self._doubt(each, Refused.BIN_TAKEN, f"{told - stored} of {told} bins were there")
            if told and not stored:
                yield i, Outcome(each.place, Fate.REFUSED, Refused.BIN_TAKEN)

    def _store_others(self, new: Sequence[Accepted]) -> None:
        health = []
        for each in new:
            message, identity = each.message, each.identity
            if isinstance(message, HealthReport):
                health.append((identity.device, identity.tenant, message))
            elif isinstance(message, LossReport):
                owner = BinOwner(tenant=identity.tenant, device=identity.device, camera_id=0)
                add_losses(self._connection, owner, message)
            elif isinstance(message, SiteReport):
                ids = self._camera_ids(each)
                layouts = [
                    (ids[camera.camera], message.valid_from, camera.model_dump(mode="json"))
                    for camera in message.cameras
                ]
                add_layouts(self._connection, identity.tenant, layouts)
            elif isinstance(message, IncidentReport):
                told = [(self._camera_ids(each), message)]
                add_incidents(self._connection, identity.tenant, told)
            elif isinstance(message, PlateReport):
                self._take_plate(each, message)
        add_health(self._connection, health)

    def _take_plate(self, each: Accepted, message: PlateReport) -> None:
        """Keep a picture that somebody asked this box for; any other is not looked at again."""
        is_asked_for = add_answer(
            self._connection,
            device=each.identity.device,
            camera_id=self._camera_ids(each)[message.camera],
            report=message,
            now=self._now,
        )
        if not is_asked_for:
            self._doubt(each, Refused.NOT_ASKED_FOR, "nobody waits for this picture")

    def _camera_ids(self, each: Accepted) -> dict[str, int]:
        return {name.slug: self._known(name) for name in camera_names(each)}

    def _owner(self, each: Accepted, b: CameraBin) -> BinOwner:
        identity = each.identity
        owner = self._owners.get((identity.device, b.camera))
        if owner is None:
            camera_id = self._known(camera_of(each, b.camera))
            owner = BinOwner(tenant=identity.tenant, device=identity.device, camera_id=camera_id)
            self._owners[identity.device, b.camera] = owner
        return owner

    def _known(self, name: CameraName) -> int:
        camera_id = self._catalogue.known_camera(name)
        if camera_id is None:
            raise ValueError(f"camera {name.slug} was not learnt before its report was stored")
        return camera_id

    def _doubt(self, each: Accepted, reason: Refused, detail: str) -> None:
        self._doubts.append(quarantine_entry(each, reason, detail))


def quarantine_entry(each: Accepted, reason: Refused, detail: str) -> QuarantineEntry:
    """How a report is remembered that was believed and still not stored."""
    return QuarantineEntry(
        reason=reason.value,
        topic=each.topic,
        device=each.place.device,
        size_bytes=each.size_bytes,
        digest=each.digest.hex(),
        detail=detail,
    )


def camera_names(each: Accepted) -> set[CameraName]:
    """Cameras whose ids a report needs."""
    message = each.message
    if isinstance(message, BinReport):
        slugs = {b.camera for b in message.bins}
    elif isinstance(message, SiteReport):
        slugs = {camera.camera for camera in message.cameras}
    elif isinstance(message, IncidentReport):
        slugs = {note.camera for note in message.incidents}
    elif isinstance(message, PlateReport):
        slugs = {message.camera}
    else:
        return set()
    return {camera_of(each, slug) for slug in slugs}


def camera_of(each: Accepted, slug: str) -> CameraName:
    """A camera that a report names, at the site of its box."""
    return CameraName(each.identity.tenant, each.identity.site_id, slug)


def _bins(each: Accepted) -> Sequence[CameraBin]:
    return each.message.bins if isinstance(each.message, BinReport) else ()


def _place(each: Accepted) -> Place:
    return (each.place.device, each.place.epoch, each.place.sequence)


def _report_row(each: Accepted, received_at: str) -> Row:
    return (
        *_place(each),
        each.identity.tenant,
        each.kind.value,
        each.digest,
        moment_text(each.created_at),
        received_at,
    )
