"""Key files and their calendar → which key opens, which signs, and what boxes are told.

Every use has a key in effect, the next one (boxes learn it long before it counts) and old ones
that still open what travels. The calendar ``keyring.json`` is read again when another process
changed it, so that a rotation reaches a running coordinator.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from threading import Lock

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from common.encryption import EncryptionManager, OpeningKey, SealingKey, SigningKey, VerifyingKey
from common.errors import ConfigError
from common.private_files import make_private_folder, read_private, write_private
from common.timing import Clock

log = structlog.get_logger(__name__)

_ORDERS_TRAVEL = timedelta(days=1)


class KeyUse(StrEnum):
    """What a key is for."""

    OPENING = "opening"
    ORDERS = "orders"


class CalendarEntry(BaseModel):
    """One key and the time in which it counts.

    Attributes:
        starts_at: From then on boxes seal to it, or orders are signed with it.
        ends_at: Until then it still opens, or boxes are still told of it; None: in effect or next.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: KeyUse
    id: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None


class _Calendar(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[CalendarEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """One reading of the calendar with all its keys; replaced as a whole."""

    stamp: tuple[int, int] | None
    calendar: _Calendar
    opening: Mapping[str, OpeningKey]
    orders: Mapping[str, SigningKey]
    manager: EncryptionManager

    def of(self, use: KeyUse) -> list[CalendarEntry]:
        return [entry for entry in self.calendar.keys if entry.use is use]


class KeyRing:
    """The opening and order keys of this coordinator; safe to share between threads."""

    def __init__(
        self, folder: Path, *, clock: Clock, key_days: int = 90, old_key_days: int = 60
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._life = timedelta(days=key_days)
        self._kept = {
            KeyUse.OPENING: timedelta(days=old_key_days),
            KeyUse.ORDERS: _ORDERS_TRAVEL,
        }
        self._lock = Lock()
        self._loaded = _Loaded(
            stamp=None, calendar=_Calendar(), opening={}, orders={}, manager=EncryptionManager()
        )

    def turn(self) -> bool:
        """Make missing keys, start those that are due, forget those that ended.

        Returns:
            True when something changed.

        Raises:
            ConfigError: The folder or the calendar cannot be used.
            UnreachableError: The folder cannot be written.
        """
        return self._change(None)

    def rotate(self, use: KeyUse) -> CalendarEntry:
        """Put the next key in effect now.

        Raises:
            ConfigError: The folder or the calendar cannot be used.
            UnreachableError: The folder cannot be written.
        """
        self._change(use)
        return self.in_effect(use)

    def entries(self) -> Sequence[CalendarEntry]:
        """The calendar, the oldest first."""
        return self._fresh().calendar.keys

    def in_effect(self, use: KeyUse) -> CalendarEntry:
        """The newest key that has started.

        Raises:
            ConfigError: There is none.
        """
        return self._current(self._fresh(), use)

    def manager(self) -> EncryptionManager:
        """Opens what was sealed to any key that has not ended; another object after a rotation."""
        return self._fresh().manager

    def order_signing(self) -> SigningKey:
        """The key that signs orders now.

        Raises:
            ConfigError: There is none.
        """
        loaded = self._fresh()
        return loaded.orders[self._current(loaded, KeyUse.ORDERS).id]

    def sealing_offers(self) -> list[tuple[SealingKey, datetime]]:
        """The key in effect and the next, with the moment from which each counts."""
        loaded = self._fresh()
        current = self._current(loaded, KeyUse.OPENING)
        offered = [e for e in loaded.of(KeyUse.OPENING) if e.starts_at >= current.starts_at]
        return [(loaded.opening[e.id].public, e.starts_at) for e in offered]

    def order_offers(self) -> list[tuple[VerifyingKey, datetime]]:
        """Keys whose orders a box shall believe, with the moment from which each counts."""
        loaded = self._fresh()
        return [(loaded.orders[e.id].public, e.starts_at) for e in loaded.of(KeyUse.ORDERS)]

    def _current(self, loaded: _Loaded, use: KeyUse) -> CalendarEntry:
        now = self._clock.now()
        started = [entry for entry in loaded.of(use) if entry.starts_at <= now]
        if not started:
            raise ConfigError(
                f"no {use} key in {self._folder}", hint="run its-camera-ai coordinator init"
            )
        # Of two that start in the same moment the one that was made later.
        return max(reversed(started), key=lambda entry: entry.starts_at)

    def _change(self, rotate: KeyUse | None) -> bool:
        make_private_folder(self._folder)
        with self._exclusive():
            before = self._read()
            after = before
            if rotate is not None:
                after = self._next_starts(self._turned(after), rotate)
            after = self._turned(after)
            if after == before:
                return False
            write_private(self._file, after.model_dump_json(indent=1).encode())
        kept = {entry.id for entry in after.keys}
        for gone in [entry for entry in before.keys if entry.id not in kept]:
            self._key_file(gone.use, gone.id).unlink(missing_ok=True)
            log.info("key_ended", use=gone.use, key_id=gone.id)
        return True

    def _next_starts(self, calendar: _Calendar, use: KeyUse) -> _Calendar:
        now = self._clock.now()
        waiting = min(
            (e for e in calendar.keys if e.use is use and e.starts_at > now),
            key=lambda entry: entry.starts_at,
        )
        started = waiting.model_copy(update={"starts_at": now})
        log.info("key_rotated", use=use, key_id=started.id)
        return _Calendar(keys=tuple(started if e is waiting else e for e in calendar.keys))

    def _turned(self, calendar: _Calendar) -> _Calendar:
        now = self._clock.now()
        turned: list[CalendarEntry] = []
        for use in KeyUse:
            mine = sorted(
                (e for e in calendar.keys if e.use is use), key=lambda entry: entry.starts_at
            )
            if not any(entry.starts_at <= now for entry in mine):
                mine.insert(0, self._made(use, now))
            if not any(entry.starts_at > now for entry in mine):
                mine.append(self._made(use, max(mine[-1].starts_at + self._life, now + self._life)))
            current = max(i for i, entry in enumerate(mine) if entry.starts_at <= now)
            for i, entry in enumerate(mine[:current]):
                ends_at = entry.ends_at or mine[current].starts_at + self._kept[use]
                mine[i] = entry.model_copy(update={"ends_at": ends_at})
            turned += [e for e in mine if e.ends_at is None or e.ends_at > now]
        return _Calendar(keys=tuple(turned))

    def _made(self, use: KeyUse, starts_at: datetime) -> CalendarEntry:
        key = OpeningKey.generate() if use is KeyUse.OPENING else SigningKey.generate()
        key.save(self._key_file(use, key.key_id))
        return CalendarEntry(use=use, id=key.key_id, starts_at=starts_at)

    @property
    def _file(self) -> Path:
        return self._folder / "keyring.json"

    def _key_file(self, use: KeyUse, key_id: str) -> Path:
        return self._folder / f"{use}-{key_id}.key"

    def _read(self) -> _Calendar:
        if not self._file.exists():
            return _Calendar()
        try:
            return _Calendar.model_validate_json(read_private(self._file))
        except ValidationError as error:
            raise ConfigError(
                f"key calendar {self._file} is damaged", hint="restore the folder from a backup"
            ) from error

    def _fresh(self) -> _Loaded:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return self._loaded
        stamp = (status.st_mtime_ns, status.st_ino)
        with self._lock:
            if stamp != self._loaded.stamp:
                self._loaded = self._load(stamp)
            return self._loaded

    def _load(self, stamp: tuple[int, int]) -> _Loaded:
        calendar, known = self._read(), self._loaded
        opening = {
            e.id: known.opening.get(e.id) or OpeningKey.load(self._key_file(e.use, e.id))
            for e in calendar.keys
            if e.use is KeyUse.OPENING
        }
        orders = {
            e.id: known.orders.get(e.id) or SigningKey.load(self._key_file(e.use, e.id))
            for e in calendar.keys
            if e.use is KeyUse.ORDERS
        }
        return _Loaded(
            stamp=stamp,
            calendar=calendar,
            opening=opening,
            orders=orders,
            manager=EncryptionManager(opening=tuple(opening.values())),
        )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with (self._folder / "keyring.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
