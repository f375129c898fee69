"""The coordinator's two keys → fresh snapshot and timestamp over the list it was handed.

They say which list is the newest and that this was so today; they cannot name a model. Whoever
steals them can at most play an old list for as long as the offline keys let it live.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

from common.keys import SigningKey
from common.private_files import make_private_folder
from common.release.repository import (
    metadata_versions,
    newest,
    read_metadata,
    write_metadata,
)
from common.release.signers import KeySigner

TIMESTAMP_HOURS = 24
"""So long somebody between coordinator and box can hide a newer list; boxes refuse after it."""
TIMESTAMP_RENEWED_HOURS = 6
SNAPSHOT_DAYS = 14
SNAPSHOT_RENEWED_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineKeys:
    """The private halves that never leave the coordinator."""

    snapshot: SigningKey
    timestamp: SigningKey

    @classmethod
    def open(cls, folder: Path) -> OnlineKeys:
        """Read both keys, made at the first call.

        Raises:
            ConfigError: A file is no such key or open to others.
            UnreachableError: The folder cannot be written.
        """
        make_private_folder(folder)
        keys = {}
        for role in ("snapshot", "timestamp"):
            path = folder / f"{role}.pem"
            if not path.exists():
                SigningKey.generate().save(path)
            keys[role] = SigningKey.load(path)
        return cls(**keys)


def refresh_online(folder: Path, keys: OnlineKeys, *, now: datetime) -> bool:
    """Sign snapshot and timestamp again when a list is new or they grow old.

    Args:
        folder: A repository with root and targets.
        keys: The coordinator's.
        now: Expiries count from here.

    Returns:
        True when something was signed.

    Raises:
        NotFoundError: No repository there.
        TrustError: A file in it is no metadata.
    """
    with _alone(folder):
        targets = newest(folder, Targets).signed.version
        snapshot = _snapshot(folder, targets, now)
        is_new = snapshot is None
        if snapshot is None:
            version = max(metadata_versions(folder, Snapshot.type), default=0) + 1
            snapshot = Metadata(
                Snapshot(
                    version=version,
                    expires=now + timedelta(days=SNAPSHOT_DAYS),
                    meta={"targets.json": MetaFile(version=targets)},
                )
            )
            snapshot.sign(KeySigner(keys.snapshot))
            write_metadata(folder, snapshot)
        timestamp = _timestamp(folder)
        if not is_new and timestamp is not None:
            said = timestamp.signed.snapshot_meta.version == snapshot.signed.version
            left = timestamp.signed.expires - now
            if said and left > timedelta(hours=TIMESTAMP_HOURS - TIMESTAMP_RENEWED_HOURS):
                return False
        version = 1 if timestamp is None else timestamp.signed.version + 1
        _write_timestamp(folder, snapshot, version, keys.timestamp, now)
        return True


def _snapshot(folder: Path, targets: int, now: datetime) -> Metadata[Snapshot] | None:
    """The newest one, when it will do."""
    if not metadata_versions(folder, Snapshot.type):
        return None
    found = newest(folder, Snapshot)
    is_old = found.signed.expires - now < timedelta(days=SNAPSHOT_DAYS - SNAPSHOT_RENEWED_DAYS)
    if is_old or found.signed.meta["targets.json"].version != targets:
        return None
    return found


def _timestamp(folder: Path) -> Metadata[Timestamp] | None:
    path = folder / "metadata" / "timestamp.json"
    return read_metadata(path) if path.exists() else None


def _write_timestamp(
    folder: Path, snapshot: Metadata[Snapshot], version: int, key: SigningKey, now: datetime
) -> None:
    content = snapshot.to_bytes()
    meta = MetaFile(
        version=snapshot.signed.version,
        length=len(content),
        hashes={"sha256": sha256(content).hexdigest()},
    )
    expires = now + timedelta(hours=TIMESTAMP_HOURS)
    timestamp = Metadata(Timestamp(version=version, expires=expires, snapshot_meta=meta))
    timestamp.sign(KeySigner(key))
    write_metadata(folder, timestamp)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: two would give one version two contents."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
