"""Several files of the identity folder → all of them new, or all of them old.

A box may lose power at any moment, and a certificate beside another key is no identity.
New content is written beside the old, a list of it makes the change certain, and whoever
opens the folder next finishes what was begun.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from common.errors import ConfigError, UnreachableError
from common.private_files import make_private_folder, read_private, sync_folder, write_private

DEVICE_FILE = "device.json"
COORDINATOR_FILE = "coordinator.json"
SIGNING_KEY_FILE = "signing.key"
TLS_KEY_FILE = "tls.key"
TLS_CHAIN_FILE = "tls.pem"
TRUST_FILE = "trust.pem"
LEARNING_KEY_FILE = "learning.key"
"""Of the federated node; boxes that enrolled before there were any have none until renewal."""
RELEASE_ROOT_FILE = "release_root.json"
"""Whose releases the box believes; the first it was told. Who follows, that root signs in."""
ENROLLING_FOLDER = "pending-enrolment"
"""Keys that wait for the coordinator's answer; a repeated attempt brings the same ones."""
RENEWING_FOLDER = "pending-renewal"

FILES = (
    DEVICE_FILE,
    COORDINATOR_FILE,
    SIGNING_KEY_FILE,
    TLS_KEY_FILE,
    TLS_CHAIN_FILE,
    TRUST_FILE,
    LEARNING_KEY_FILE,
    RELEASE_ROOT_FILE,
)
_REPLACING = "replacing.json"
_NEXT = ".next"


@contextmanager
def opened(folder: Path, *, to_change: bool = False) -> Iterator[None]:
    """Hold the folder, other readers beside us, while its files are read together.

    Raises:
        ConfigError: There is no such folder.
        UnreachableError: It cannot be read or written.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            f"identity folder {folder} cannot be opened: {error.strerror}",
            hint="enrol this box with: its-camera-ai edge enroll",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if to_change else fcntl.LOCK_SH)
        if (folder / _REPLACING).exists():
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Another reader may have been faster.
            if (folder / _REPLACING).exists():
                _finish(folder)
        yield
    finally:
        os.close(descriptor)


def replace_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put all files in place, mode 0600, and forget the pending keys.

    Raises:
        ValueError: A file that is none of an identity's.
        ConfigError: The folder cannot be made private.
        UnreachableError: It cannot be written.
    """
    if foreign := sorted(set(files) - set(FILES)):
        raise ValueError(f"files {foreign} are none of an identity's")
    make_private_folder(folder)
    with opened(folder, to_change=True):
        for name, content in files.items():
            write_private(folder / (name + _NEXT), content)
        write_private(folder / _REPLACING, json.dumps(sorted(files)).encode())
        _finish(folder)


def _finish(folder: Path) -> None:
    """Carry the begun change to its end; a second time changes nothing."""
    try:
        names = json.loads(read_private(folder / _REPLACING, what="list of new identity files"))
    except ValueError as error:
        raise ConfigError(
            f"{folder / _REPLACING} is damaged", hint="delete the folder and enrol this box again"
        ) from error
    try:
        for name in FILES:
            if name in names:
                with suppress(FileNotFoundError):
                    (folder / (name + _NEXT)).replace(folder / name)
        for waiting in (ENROLLING_FOLDER, RENEWING_FOLDER):
            for name in (SIGNING_KEY_FILE, TLS_KEY_FILE, LEARNING_KEY_FILE):
                (folder / waiting / name).unlink(missing_ok=True)
        sync_folder(folder)
        (folder / _REPLACING).unlink()
        sync_folder(folder)
    except OSError as error:
        raise UnreachableError(
            f"identity folder {folder} cannot be written: {error.strerror}"
        ) from error
