"""Offline keys and a sealed release → signed metadata in a folder that can be carried anywhere.

The folder holds ``metadata/`` (``N.root.json``, ``N.targets.json`` and, on the coordinator,
``N.snapshot.json`` and ``timestamp.json``) and ``targets/`` as TUF 1.0.33 §3 lays them out with
consistent snapshots. Every write puts whole files in place, the pointing file last.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from common.errors import ConfigError, ConflictError, NotFoundError, TrustError, UnreachableError
from common.keys import SigningKey, VerifyingKey
from common.private_files import sync_folder, write_private
from common.release.manifest import ReleaseManifest
from common.release.signers import KeySigner, tuf_key

ROOT_DAYS = 730
"""Whoever holds the root keys comes together every other year at the latest."""
TARGETS_DAYS = 365
"""A box that finds no younger list of releases than this installs nothing more; signing any
release starts the year again."""

_Signed = TypeVar("_Signed", Root, Targets, Snapshot)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKeys:
    """Public halves that ``root.json`` names, and how many of them must sign.

    Attributes:
        root: Offline; with two keys and a threshold of one, the second is the spare in another
            safe: it can take a lost or stolen first one out.
        targets: Offline; sign the list of releases.
        snapshot: Of the coordinator.
        timestamp: Of the coordinator.
    """

    root: tuple[VerifyingKey, ...]
    targets: tuple[VerifyingKey, ...]
    snapshot: VerifyingKey
    timestamp: VerifyingKey
    root_threshold: int = 1
    targets_threshold: int = 1


def begin_repository(
    folder: Path, trusted: TrustedKeys, signing: Sequence[SigningKey], *, now: datetime
) -> bytes:
    """Write the first root and an empty list of releases.

    Args:
        folder: Empty or absent.
        trusted: Whom boxes shall believe.
        signing: Private root and targets keys, as many as the thresholds ask for.
        now: Expiries count from here.

    Returns:
        ``root.json``: the trust anchor that boxes get.

    Raises:
        ConflictError: A repository is there already.
        TrustError: Too few keys for a threshold.
        UnreachableError: The folder cannot be written.
    """
    if metadata_versions(folder, Root.type):
        raise ConflictError(f"{folder} holds a repository already", hint="name another folder")
    root = Root(version=1, expires=now + timedelta(days=ROOT_DAYS), consistent_snapshot=True)
    for role, keys, threshold in (
        (Root.type, trusted.root, trusted.root_threshold),
        (Targets.type, trusted.targets, trusted.targets_threshold),
        (Snapshot.type, (trusted.snapshot,), 1),
        (Timestamp.type, (trusted.timestamp,), 1),
    ):
        for key in keys:
            root.add_key(tuf_key(key), role)
        root.roles[role].threshold = threshold
    signed_root = Metadata(root)
    _sign(signed_root, Root.type, root, signing)
    targets = Metadata(Targets(version=1, expires=now + timedelta(days=TARGETS_DAYS)))
    _sign(targets, Targets.type, root, signing)
    write_metadata(folder, signed_root)
    write_metadata(folder, targets)
    return signed_root.to_bytes()


def add_release(
    folder: Path,
    manifest: ReleaseManifest,
    files: Mapping[str, Path],
    signing: Sequence[SigningKey],
    *,
    now: datetime,
) -> int:
    """Put a release into the folder and sign the list that names it.

    Args:
        folder: A repository.
        manifest: The release; its version must be new.
        files: Target path of each artefact → where it lies now.
        signing: Targets keys.
        now: The list's expiry counts from here.

    Returns:
        Version of the list.

    Raises:
        ConflictError: The list names this release already, with other content.
        TrustError: An artefact is not the one of the manifest, or too few keys.
        NotFoundError: No repository there.
    """
    root = newest(folder, Root)
    targets = newest(folder, Targets)
    content = manifest.to_bytes()
    entry = TargetFile.from_data(manifest.path, content)
    known = targets.signed.targets.get(manifest.path)
    if known is not None and known.hashes != entry.hashes:
        raise ConflictError(
            f"{manifest.name} {manifest.version} is signed already with other content",
            hint="a version is never given twice: choose the next one",
        )
    for artefact in manifest.artefacts:
        place = folder / "targets" / artefact.path
        _copy(files[artefact.path], place)
        found = TargetFile.from_file(artefact.path, str(place))
        if (found.length, found.hashes["sha256"]) != (artefact.size_bytes, artefact.sha256):
            place.unlink()
            raise TrustError(f"{files[artefact.path]} is not the artefact {artefact.sha256[:12]}…")
        targets.signed.targets[artefact.path] = found
    write_public(folder / "targets" / manifest.path, content)
    targets.signed.targets[manifest.path] = entry
    targets.signed.version += 1
    targets.signed.expires = now + timedelta(days=TARGETS_DAYS)
    _sign(targets, Targets.type, root.signed, signing)
    write_metadata(folder, targets)
    return targets.signed.version


def renew(
    folder: Path, role: Literal["root", "targets"], signing: Sequence[SigningKey], *, now: datetime
) -> int:
    """Sign the newest root or list again, so that it lives on; nothing else changes.

    Returns:
        Its new version.

    Raises:
        TrustError: Too few keys for the threshold.
        NotFoundError: No repository there.
    """
    root = newest(folder, Root).signed
    metadata: Metadata[Any] = newest(folder, Root if role == "root" else Targets)
    metadata.signed.version += 1
    metadata.signed.expires = now + timedelta(days=ROOT_DAYS if role == "root" else TARGETS_DAYS)
    _sign(metadata, role, root, signing)
    write_metadata(folder, metadata)
    return int(metadata.signed.version)


def metadata_versions(folder: Path, role: str) -> list[int]:
    """Versions of a role that lie in the folder, rising."""
    return sorted(
        int(version)
        for file in (folder / "metadata").glob(f"*.{role}.json")
        if (version := file.name.partition(".")[0]).isdigit()
    )


def newest(folder: Path, of: type[_Signed]) -> Metadata[_Signed]:
    """The newest metadata of a role; read, not believed.

    Raises:
        NotFoundError: None there.
        TrustError: Not readable.
    """
    versions = metadata_versions(folder, of.type)
    if not versions:
        raise NotFoundError(
            f"{folder} holds no {of.type}.json",
            hint="begin one with: its-camera-ai ml keys init",
        )
    return read_metadata(folder / "metadata" / f"{versions[-1]}.{of.type}.json")


def read_metadata(path: Path) -> Metadata[Any]:
    """One file of metadata; read, not believed.

    Raises:
        TrustError: Not metadata.
        NotFoundError: No such file.
    """
    try:
        return Metadata.from_bytes(path.read_bytes())
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from error
    except (DeserializationError, RepositoryError) as error:
        raise TrustError(f"{path} is no TUF metadata: {error}") from error


def write_metadata(folder: Path, metadata: Metadata[Any]) -> None:
    """Put metadata under the name that its role and version give it."""
    role, version = metadata.signed.type, metadata.signed.version
    name = f"{role}.json" if role == Timestamp.type else f"{version}.{role}.json"
    write_public(folder / "metadata" / name, metadata.to_bytes())


def write_public(path: Path, content: bytes) -> None:
    """Put a file in place whole, readable by everybody: what is signed is no secret.

    Raises:
        UnreachableError: The folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(beside, content)
        beside.chmod(0o644)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise UnreachableError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def _sign(metadata: Metadata[Any], role: str, root: Root, signing: Sequence[SigningKey]) -> None:
    """Sign with those of the keys that have the role.

    Raises:
        TrustError: Too few of them.
    """
    signers = [KeySigner(key) for key in signing]
    wanted = root.roles[role]
    able = [signer for signer in signers if signer.public_key.keyid in wanted.keyids]
    if len(able) < wanted.threshold:
        raise TrustError(
            f"{len(able)} of the given keys may sign {role}, expected {wanted.threshold}",
            hint="compare with: its-camera-ai ml keys show",
        )
    metadata.signatures.clear()
    for signer in able:
        metadata.sign(signer, append=True)


def _copy(source: Path, target: Path) -> None:
    beside = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, beside)
        beside.chmod(0o644)
        beside.replace(target)
        sync_folder(target.parent)
    except FileNotFoundError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise UnreachableError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
