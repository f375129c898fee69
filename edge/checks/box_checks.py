"""This machine → the state of its clock, its disk and its store, without changing any."""

from __future__ import annotations

import ctypes
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from common.errors import ConfigError, UnreachableError
from edge.health import disk_free_bytes

_LONG_PAST = datetime(2025, 1, 1, tzinfo=UTC)
_TIMEX_BYTES = 512  # struct timex has 208 on 64-bit Linux
_TIME_ERROR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """``is_synchronised`` is None where the system does not tell."""

    now: datetime
    is_synchronised: bool | None

    @property
    def is_plausible(self) -> bool:
        """False for a box that woke up without a battery clock."""
        return self.now >= _LONG_PAST


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskState:
    """Room for the store, and what the store has of it already."""

    free_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What is in the store; losses in words."""

    bins: int
    newest: str
    losses: tuple[str, ...]


def clock_state() -> ClockState:
    """The clock, and what the kernel says about it (adjtimex(2))."""
    now = datetime.now(UTC)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(
            ctypes.create_string_buffer(_TIMEX_BYTES)
        )
    except (AttributeError, OSError):
        return ClockState(now=now, is_synchronised=None)
    return ClockState(now=now, is_synchronised=None if state < 0 else state != _TIME_ERROR)


def disk_state(folder: Path, store_file: Path) -> DiskState:
    """Room for the data folder, which may not exist yet.

    Raises:
        UnreachableError: The folder cannot be written or created.
    """
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        raise UnreachableError(
            f"data folder {folder} cannot be written, expected a folder for this user",
            hint=f"create it and give it to the user that the agent runs as: {folder}",
        )
    used_bytes = store_file.stat().st_size if store_file.exists() else 0
    return DiskState(free_bytes=disk_free_bytes(existing), used_bytes=used_bytes)


def store_state(store_file: Path) -> StoreState:
    """What the store holds; an agent may be writing to it at the same time.

    Raises:
        ConfigError: The file is damaged.
        UnreachableError: It cannot be read now.
    """
    try:
        database = sqlite3.connect(f"{store_file.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise _unreadable(store_file, error) from error
    try:
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _damaged(store_file, verdict)
        bins, newest_s = database.execute("SELECT COUNT(*), MAX(start_s) FROM bin").fetchone()
        losses = database.execute("SELECT camera, reason, bins, detail FROM loss").fetchall()
    except sqlite3.OperationalError as error:
        raise _unreadable(store_file, error) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(store_file, str(error)) from error
    finally:
        database.close()
    newest = datetime.fromtimestamp(newest_s, UTC).isoformat() if newest_s is not None else "none"
    return StoreState(
        bins=bins,
        newest=newest,
        losses=tuple(
            " ".join(filter(None, (camera, reason, f"{lost} bins" if lost else "", detail)))
            for camera, reason, lost, detail in losses
        ),
    )


def _unreadable(store_file: Path, error: sqlite3.Error) -> UnreachableError:
    return UnreachableError(
        f"store {store_file} cannot be read: {error}", hint="run as the user of the agent"
    )


def _damaged(store_file: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"store {store_file} is damaged: {reason}",
        hint="start the agent: it moves the file aside and begins a new one; check the disk",
    )
