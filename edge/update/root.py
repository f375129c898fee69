"""The identity of a box and its settings → where releases come from and whom to believe."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

from common.errors import ConfigError
from common.private_files import make_private_folder, write_private
from common.release.client import ReleaseSource
from edge.enrol.identity import Identity, trusting
from edge.update.settings import ReleaseSettings

_TIMEOUT_S = 10.0
"""Shorter than the agent waits for its threads when it stops."""
_MOST_ROOT_BYTES = 65_536
_BELIEVED = "believed.txt"


def release_source(identity_folder: Path, settings: ReleaseSettings) -> ReleaseSource | None:
    """Whom to ask; None while nobody told this box whose signatures to believe.

    Raises:
        ConfigError: The box is not enrolled, or a file cannot be read.
    """
    identity = Identity.load(identity_folder)
    root = _read(settings.root_file) if settings.root_file else identity.release_root
    if root is None:
        return None
    url = settings.url or identity.about.coordinator_url
    return ReleaseSource(
        url=url, root=root, context=trusting(identity.trust_pem), timeout_s=_TIMEOUT_S
    )


def remember_root(folder: Path, root: bytes) -> None:
    """Forget what was seen under another root, as after an enrolment with another coordinator.

    Args:
        folder: Where releases are fetched to; ``metadata`` in it is what was seen.
        root: Whom the box believes now; only whoever owns the box can change that.

    Raises:
        ConfigError: The folder cannot be made.
        UnreachableError: It cannot be written.
    """
    metadata = folder / "metadata"
    note, digest = metadata / _BELIEVED, hashlib.sha256(root).hexdigest().encode()
    with suppress(FileNotFoundError):
        if note.read_bytes() == digest:
            return
    shutil.rmtree(metadata, ignore_errors=True)
    make_private_folder(metadata)
    write_private(note, digest)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_ROOT_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"release.root_file {path} cannot be read: {error.strerror}",
            hint="leave the key out to believe the root that came with the enrolment",
        ) from error
    if len(content) > _MOST_ROOT_BYTES:
        raise ConfigError(f"release.root_file {path} is longer than {_MOST_ROOT_BYTES} bytes")
    return content
