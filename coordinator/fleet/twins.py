"""Wishes of operators → signed orders that are repeated until the box answers.

A box says in its health report which version is in effect and whether it applied, refused or
rolled it back. Until it says something about the newest wish, the wish is sent again: brokers
may forget, and a box may be away for weeks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from common.encryption import SigningKey, sign_order
from common.errors import ConflictError
from common.orders import DesiredConfiguration, DesiredRelease
from common.timing import Clock
from common.topics import Topic, Way
from common.wire import Kind
from coordinator.database import Database
from coordinator.fleet.reading_store import reading
from coordinator.fleet.states import DeviceState
from coordinator.fleet.store import FleetStore
from coordinator.fleet.tables import TwinRow
from coordinator.fleet.twins_store import TwinStore
from coordinator.fleet.views import TwinView, TwinWish
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value

log = structlog.get_logger(__name__)

REPEAT_S = 60.0


class OrderSender(Protocol):
    """Hands signed orders to the broker."""

    def send(self, orders: Sequence[tuple[str, bytes]]) -> None:
        """Topic and bytes of each.

        Raises:
            UnreachableError: The broker is away.
        """
        ...


class Twins:
    """Desired and reported configuration of the boxes of one tenant."""

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
        self._sent_s: dict[tuple[str, int], float] = {}

    def show(self, device: str) -> TwinView:
        """What a box shall run and what it says.

        Raises:
            NotFoundError: No such box.
        """
        with reading(self._database) as session:
            FleetStore(session, self._tenant).device(device)
            return TwinView.of(device, TwinStore(session, self._tenant).twin(device))

    def wish(self, device: str, wish: TwinWish) -> TwinView:
        """Keep a wish about its cameras; it is sent at the next round.

        Raises:
            NotFoundError: No such box.
            ConflictError: The box has ended, or a newer wish is there.
        """
        cameras = [camera.model_dump(mode="json") for camera in wish.cameras]
        return self._wish(device, {"cameras": cameras}, if_version=wish.if_version)

    def wish_release(self, device: str, release: DesiredRelease | None) -> TwinView:
        """Keep a wish about the model; what was wished of its cameras stays.

        Args:
            device: The box.
            release: What it shall run; None takes an older wish back.

        Raises:
            NotFoundError: No such box.
            ConflictError: The box has ended.
        """
        return self._wish(device, {"release": release.model_dump() if release else None})

    def _wish(
        self, device: str, part: dict[str, Any], *, if_version: int | None = None
    ) -> TwinView:
        now = self._clock.now()
        with self._database.session() as session:
            fleet = FleetStore(session, self._tenant)
            fleet.device(device)
            row = fleet.device_to_change(device)
            if row is None or row.state != DeviceState.ENROLLED:
                raise ConflictError(f"device {device!r} has ended, expected an enrolled one")
            store = TwinStore(session, self._tenant)
            before = store.twin(device)
            version = before.desired_version if before is not None else 0
            if if_version is not None and if_version != version:
                raise ConflictError(
                    f"device {device!r} was told version {version}, expected {if_version}",
                    hint="read the newest wish and change that",
                )
            # One order tells everything: what this wish is not about stays as it was wished.
            desired = {**(before.desired if before is not None else {}), **part}
            after = store.wish(device, desired, desired_version=version + 1, desired_at=now)
            told: dict[str, Value] = {"version": version + 1, "sha256": _digest_of(desired)}
            self._audit.record(session, Action.TWIN_WISHED, subject=device, detail=told)
            log.info("twin_wished", device=device, version=version + 1)
            return TwinView.of(device, after)

    def send_due(self) -> int:
        """Send what boxes have not answered; each wish at most once a minute.

        Returns:
            How many were sent.

        Raises:
            UnreachableError: Database or broker.
        """
        now_s = self._clock.monotonic_s()
        with reading(self._database) as session:
            rows = TwinStore(session, self._tenant).behind()
        behind = {(row.device_id, row.desired_version): row for row in rows}
        self._sent_s = {key: at for key, at in self._sent_s.items() if key in behind}
        due = [key for key in behind if now_s - self._sent_s.get(key, -REPEAT_S) >= REPEAT_S]
        if due:
            self._sender.send([self._order(behind[key]) for key in due])
            self._sent_s |= dict.fromkeys(due, now_s)
        return len(due)

    def _order(self, row: TwinRow) -> tuple[str, bytes]:
        if row.desired_at is None:
            raise ValueError(f"wish for {row.device_id} has no time")
        order = DesiredConfiguration(
            device=row.device_id,
            version=row.desired_version,
            at=row.desired_at,
            cameras=row.desired.get("cameras", ()),
            release=row.desired.get("release"),
        )
        topic = str(Topic(row.device_id, Way.DOWN, Kind.TWIN))
        return topic, sign_order(self._signing(), order.model_dump_json().encode())


def _digest_of(desired: dict[str, Any]) -> str:
    """Tells later whether a wish is the one that was recorded."""
    return hashlib.sha256(json.dumps(desired, sort_keys=True).encode()).hexdigest()
