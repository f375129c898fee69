"""Files of a candidate → a folder where each lies once, under its own digest."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from common.errors import ConfigError, TrustError, UnreachableError
from common.private_files import make_private_folder, sync_folder
from common.release.manifest import MOST_MODEL_BYTES

_PIECE_BYTES = 2**20


class ArtefactFolder:
    """Content-addressed files of all versions of one coordinator; mode 0600."""

    def __init__(self, root: Path) -> None:
        """Keep files below ``root``."""
        self._root = root

    def of(self, sha256: str) -> Path:
        """Where the file with this digest lies, there or not."""
        return self._root / sha256

    def take(self, source: Path, sha256: str) -> int:
        """Copy a file in; what is copied is what is judged, whatever the source becomes.

        Returns:
            Its size in bytes.

        Raises:
            TrustError: It has another digest, or is bigger than any model of ours.
            ConfigError: It cannot be read.
            UnreachableError: The folder cannot be written.
        """
        target = self.of(sha256)
        if target.exists():
            return target.stat().st_size
        make_private_folder(self._root)
        beside = self._root / f".{sha256[:16]}.{secrets.token_hex(8)}"
        try:
            size, found = _copy(source, beside)
            if found != sha256:
                raise TrustError(f"{source} has SHA-256 {found[:12]}…, expected {sha256[:12]}…")
            beside.replace(target)
            sync_folder(self._root)
        except OSError as error:
            raise UnreachableError(f"{target} cannot be written: {error.strerror}") from error
        finally:
            beside.unlink(missing_ok=True)
        return size


def _copy(source: Path, target: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    try:
        reader = source.open("rb")
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}") from error
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with reader, os.fdopen(descriptor, "wb") as writer:
        while piece := reader.read(_PIECE_BYTES):
            size += len(piece)
            if size > MOST_MODEL_BYTES:
                raise TrustError(f"{source} is bigger than {MOST_MODEL_BYTES} bytes")
            digest.update(piece)
            writer.write(piece)
        writer.flush()
        os.fsync(writer.fileno())
    return size, digest.hexdigest()
