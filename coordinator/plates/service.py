"""Wishes of people for plates → signed orders, and the pictures that boxes answered with.

An order is sent again each minute until the box answers, for a day at most: whoever asked is
gone by then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from common.encryption import SigningKey, sign_order
from common.errors import ConflictError, NotFoundError
from common.plates import PlateRequest
from common.timing import Clock
from common.topics import Topic, Way
from common.wire import Kind
from coordinator.database import Database
from coordinator.fleet.reading_store import reading
from coordinator.fleet.twins import OrderSender
from coordinator.plates.store import PlateStore
from coordinator.plates.tables import PlateWishRow
from coordinator.plates.views import PlateView
from coordinator.plates.whose import box_of
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value

log = structlog.get_logger(__name__)

REPEAT_S = 60.0
WAITS = timedelta(days=1)


class Plates:
    """Background plates of the cameras of one tenant; safe to share between threads."""

    def __init__(
        self,
        database: Database,
        *,
        tenant: str,
        clock: Clock,
        signing: Callable[[], SigningKey],
        sender: OrderSender,
    ) -> None:
        self._database = database
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)
        self._signing = signing
        self._sender = sender
        self._sent_s: dict[tuple[int, int], float] = {}

    def show(self, site: str, camera: str) -> PlateView:
        """How the newest wish stands, and what is known of the plate that is kept.

        Raises:
            NotFoundError: No such camera.
        """
        with reading(self._database) as session:
            store = PlateStore(session, self._tenant)
            row = store.camera(site, camera)
            since = self._clock.now() - WAITS
            return PlateView.of(store.wish(row), store.plate(row), since=since)

    def picture(self, site: str, camera: str) -> bytes:
        """The newest plate, a WebP file.

        Raises:
            NotFoundError: No such camera, or it has none.
        """
        with reading(self._database) as session:
            store = PlateStore(session, self._tenant)
            plate = store.plate(store.camera(site, camera))
            if plate is None:
                raise NotFoundError(
                    f"camera {camera[:64]!r} has no background picture",
                    hint="ask its box for one in the section editor",
                )
            return plate.webp

    def wish(self, site: str, camera: str) -> PlateView:
        """Ask the camera's box for a new plate; the order is sent at the next round.

        Raises:
            NotFoundError: No such camera.
            ConflictError: No box that is enrolled has this camera.
        """
        now = self._clock.now()
        with self._database.session() as session:
            store = PlateStore(session, self._tenant)
            row = store.camera(site, camera)
            device = box_of(camera, store.boxes(row))
            if device is None or row.id is None:
                raise ConflictError(
                    f"camera {camera!r} has no enrolled box, expected one that counts with it",
                    hint="enrol a box for this site first",
                )
            wish = store.wish(row) or PlateWishRow(
                camera_id=row.id,
                tenant_id=self._tenant,
                device_id=device,
                number=0,
                wished_at=now,
            )
            wish.number, wish.device_id, wish.wished_at = wish.number + 1, device, now
            store.keep_wish(wish)
            view = PlateView.of(wish, store.plate(row), since=now - WAITS)
            detail: dict[str, Value] = {"device": device, "number": wish.number}
            self._audit.record(
                session, Action.PLATE_WISHED, subject=f"{site}/{camera}", detail=detail
            )
        log.info("plate_wished", device=device, camera=camera, number=view.number)
        return view

    def forget(self, site: str, camera: str) -> None:
        """Delete the plate that is kept.

        Raises:
            NotFoundError: No such camera.
        """
        with self._database.session() as session:
            store = PlateStore(session, self._tenant)
            store.forget(store.camera(site, camera))
            self._audit.record(session, Action.PLATE_FORGOTTEN, subject=f"{site}/{camera}")
        log.info("plate_forgotten", camera=camera)

    def send_due(self) -> int:
        """Send what boxes have not answered; each wish at most once a minute.

        Returns:
            How many were sent.

        Raises:
            UnreachableError: Database or broker.
        """
        now_s = self._clock.monotonic_s()
        with reading(self._database) as session:
            waiting = PlateStore(session, self._tenant).unanswered(since=self._clock.now() - WAITS)
        behind = {(wish.camera_id, wish.number): (wish, slug) for wish, slug in waiting}
        self._sent_s = {key: at for key, at in self._sent_s.items() if key in behind}
        due = [key for key in behind if now_s - self._sent_s.get(key, -REPEAT_S) >= REPEAT_S]
        if due:
            self._sender.send([self._order(*behind[key]) for key in due])
            self._sent_s |= dict.fromkeys(due, now_s)
        return len(due)

    def _order(self, wish: PlateWishRow, camera: str) -> tuple[str, bytes]:
        order = PlateRequest(
            device=wish.device_id, camera=camera, number=wish.number, at=wish.wished_at
        )
        topic = str(Topic(wish.device_id, Way.DOWN, Kind.PLATE))
        return topic, sign_order(self._signing(), order.model_dump_json().encode())
