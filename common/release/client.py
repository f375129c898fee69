"""A trusted root and a coordinator's address → the files of one release, or a reason why not.

The box believes what the holders of the offline keys signed, whoever hands it over: python-tuf
walks root → timestamp → snapshot → targets as in TUF 1.0.33 §5 and keeps what it saw, so that
older or expired metadata is refused the next time.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from common.errors import NotFoundError, TrustError, UnreachableError
from common.private_files import sync_folder
from common.release.fetching import GRACE_S, HttpFetcher
from common.release.manifest import (
    METADATA_PATH,
    MOST_MANIFEST_BYTES,
    TARGETS_PATH,
    Artefact,
    ReleaseManifest,
    manifest_path,
)

# Ours are a few kilobytes; a hundred releases make 60 kB of targets metadata.
_BOUNDS = UpdaterConfig(
    max_root_rotations=64,
    max_delegations=0,
    root_max_length=65_536,
    timestamp_max_length=16_384,
    snapshot_max_length=65_536,
    targets_max_length=2 * 2**20,
    prefix_targets_with_hash=False,  # artefacts carry their digest in their name already
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSource:
    """Where releases come from and whom a box believes about them.

    Attributes:
        url: ``https://HOST:PORT`` of the coordinator's device listener.
        root: The trusted ``root.json``, as it came with the enrolment.
        context: TLS that believes the coordinator's own root alone.
        timeout_s: How long the other side may say nothing at all.
        grace_s: How long it may send slower than agreed.
    """

    url: str
    root: bytes = field(repr=False)
    context: ssl.SSLContext | None = None
    timeout_s: float = 20.0
    grace_s: float = GRACE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedRelease:
    """A release whose every byte was verified; the files stay where they are."""

    manifest: ReleaseManifest
    model: Path
    calibration: Path


def fetch_release(
    folder: Path,
    source: ReleaseSource,
    *,
    name: str,
    version: str,
    stop: threading.Event | None = None,
) -> FetchedRelease:
    """Refresh the metadata and bring one release; what lies here already is not fetched again.

    Args:
        folder: Private to this box and kept: ``metadata/`` remembers what was seen, ``targets/``
            holds the files.
        source: Whom to ask and whom to believe.
        name: Model name.
        version: Its version.
        stop: Ends a download early.

    Raises:
        TrustError: A signature, version, expiry, length or hash did not hold.
        NotFoundError: The signed list holds no such release.
        UnreachableError: The coordinator is away or too slow, or the disk is full.
    """
    path = manifest_path(name, version)
    with _faults(path):
        updater = _updater(folder, source, stop)
        updater.refresh()
        _sync(folder / "metadata")
        manifest = _manifest(updater, folder, path)
        if (manifest.name, manifest.version) != (name, version):
            raise TrustError(
                f"{path} is of {manifest.name} {manifest.version}, expected {name} {version}"
            )
        model, calibration = (
            _artefact(updater, folder, artefact) for artefact in manifest.artefacts
        )
    return FetchedRelease(manifest=manifest, model=model, calibration=calibration)


def _updater(folder: Path, source: ReleaseSource, stop: threading.Event | None) -> Updater:
    for part in ("metadata", "targets"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    fetcher = HttpFetcher(
        context=source.context, timeout_s=source.timeout_s, grace_s=source.grace_s, stop=stop
    )
    url = source.url.rstrip("/")
    return Updater(
        str(folder / "metadata"),
        url + METADATA_PATH,
        target_dir=str(folder / "targets"),
        target_base_url=url + TARGETS_PATH,
        fetcher=fetcher,
        config=_BOUNDS,
        bootstrap=source.root,
    )


def _manifest(updater: Updater, folder: Path, path: str) -> ReleaseManifest:
    target = updater.get_targetinfo(path)
    if target is None:
        raise NotFoundError(
            f"the signed list of releases holds no {path}",
            hint="sign it with its-camera-ai ml keys sign and hand it to the coordinator",
        )
    if target.length > MOST_MANIFEST_BYTES:
        raise TrustError(
            f"{path} has {target.length} bytes, expected at most {MOST_MANIFEST_BYTES}"
        )
    file = _bring(updater, target, folder / "targets" / path)
    try:
        return ReleaseManifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise TrustError(f"{path} is signed and yet no manifest of ours") from error


def _artefact(updater: Updater, folder: Path, artefact: Artefact) -> Path:
    target = updater.get_targetinfo(artefact.path)
    if target is None:
        raise TrustError(f"{artefact.path} is named by a manifest and not signed itself")
    signed = (target.length, target.hashes.get("sha256"))
    if signed != (artefact.size_bytes, artefact.sha256):
        raise TrustError(f"{artefact.path} is signed as {signed}, its manifest says otherwise")
    return _bring(updater, target, folder / "targets" / artefact.path)


def _bring(updater: Updater, target: TargetFile, file: Path) -> Path:
    if updater.find_cached_target(target, str(file)) is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.part")
        try:
            updater.download_target(target, str(part))
            _sync_file(part)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(file.parent)
    return file


def _sync(folder: Path) -> None:
    """What was seen must survive a power cut, or an older list would be believed after it."""
    for file in folder.glob("*.json"):
        _sync_file(file)
    sync_folder(folder)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _faults(path: str) -> Iterator[None]:
    try:
        yield
    except ExpiredMetadataError as error:
        raise TrustError(
            f"release metadata is refused: {error}",
            hint="the coordinator must sign again, or this box's clock is wrong",
        ) from error
    except BadVersionNumberError as error:
        raise TrustError(
            f"release metadata is older than what this box saw: {error}",
            hint="somebody plays back an old state, or a coordinator was restored from a backup",
        ) from error
    except UnsignedMetadataError as error:
        raise TrustError(
            f"release metadata is not signed by the keys this box trusts: {error}",
            hint="compare root.json of the box with: its-camera-ai ml keys show",
        ) from error
    except LengthOrHashMismatchError as error:
        raise TrustError(f"a file of {path} is not the one that was signed: {error}") from error
    except DownloadLengthMismatchError as error:
        raise TrustError(f"a file of {path} is longer than it may be: {error}") from error
    except RepositoryError as error:
        raise TrustError(f"release metadata does not hold: {error}") from error
    except DownloadHTTPError as error:
        raise UnreachableError(
            f"coordinator does not hand out {path}: {error}",
            hint="the coordinator may publish no releases yet",
        ) from error
    except DownloadError as error:
        cause = error.__cause__ or error
        raise _away(path, cause) from error
    except OSError as error:
        raise UnreachableError(
            f"files of {path} cannot be kept: {error.strerror}", hint="look at the disk's space"
        ) from error


def _away(path: str, cause: BaseException) -> TrustError | UnreachableError:
    if "CERTIFICATE_VERIFY_FAILED" in str(cause):
        return TrustError(
            f"{path}: the server is not vouched for by our root: {cause}",
            hint="check the address, and that the clock of this box is right",
        )
    return UnreachableError(f"{path} cannot be fetched: {cause}", hint="it is tried again")
