"""Fleet tables → every box's keys in memory, read again every few seconds.

A question about an id that nobody enrolled costs a look into a dictionary, so that strangers
cannot load the database; and a retired box is refused as soon as the next reading is done.
"""

from __future__ import annotations

from threading import Lock

from sqlalchemy import text

from common.encryption import VerifyingKey
from common.timing import Clock
from coordinator.database import Database
from coordinator.ingest.devices import ENROLLED, DeviceIdentity

REFRESH_S = 2.0

_READ = text(
    """
    SELECT device.id, device.tenant_id, device.site_id, device.state,
           device_key.key_id, device_key.public_key,
           device_key.revoked_at IS NOT NULL
      FROM device JOIN device_key ON device_key.device_id = device.id
    """
)


class FleetKeys:
    """All keys of all boxes; safe to share between threads."""

    def __init__(self, database: Database, *, clock: Clock, refresh_s: float = REFRESH_S) -> None:
        """Nothing is read before the first question."""
        self._database = database
        self._clock = clock
        self._refresh_s = refresh_s
        self._lock = Lock()
        self._read_s: float | None = None
        self._identities: dict[tuple[str, str], DeviceIdentity] = {}
        self._devices: frozenset[str] = frozenset()

    def find(self, device: str, key_id: str) -> DeviceIdentity | None:
        """The box with that key, whatever its state.

        Raises:
            UnreachableError: The database is away and the last reading is too old.
        """
        self._refresh()
        return self._identities.get((device, key_id))

    def knows(self, device: str) -> bool:
        """True for every box that was ever enrolled.

        Raises:
            UnreachableError: The database is away and the last reading is too old.
        """
        self._refresh()
        return device in self._devices

    def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._read_s is not None and now_s - self._read_s < self._refresh_s:
            return
        with self._lock:
            if self._read_s is not None and now_s - self._read_s < self._refresh_s:
                return
            self._identities = self._read()
            self._devices = frozenset(device for device, _ in self._identities)
            self._read_s = self._clock.monotonic_s()

    def _read(self) -> dict[tuple[str, str], DeviceIdentity]:
        with self._database.session() as session:
            rows = session.connection().execute(_READ).all()
        return {
            (device, key_id): self._identity(device, tenant, site_id, (key_id, raw), state)
            for device, tenant, site_id, state, key_id, raw, is_revoked in (
                (*row[:3], "key_revoked" if row[6] and row[3] == ENROLLED else row[3], *row[4:])
                for row in rows
            )
        }

    def _identity(
        self, device: str, tenant: str, site_id: int, key: tuple[str, bytes], state: str
    ) -> DeviceIdentity:
        key_id, raw = key
        known = self._identities.get((device, key_id))
        # Keys never change under their id; parsing ten thousand of them anew would be felt.
        parsed = known.key if known is not None else VerifyingKey.from_bytes(bytes(raw))
        return DeviceIdentity(
            device=device, tenant=tenant, site_id=site_id, key=parsed, state=state
        )
