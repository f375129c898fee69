"""A carried folder of signed releases → the same in the coordinator's own, if all of it holds.

The coordinator checks what a box will check, so that what boxes would refuse is refused here
already, where somebody reads the reason. Files that the list names come before the list.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from common.errors import ConfigError, ConflictError, NotFoundError, TrustError, UnreachableError
from common.release.manifest import ReleaseManifest
from common.release.online import OnlineKeys
from common.release.repository import metadata_versions, newest, read_metadata, write_metadata
from common.release.signers import tuf_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a delivery brought.

    Attributes:
        targets_version: Of the signed list.
        manifests: Digest of each manifest that the list names → what it says.
    """

    targets_version: int
    manifests: dict[str, ReleaseManifest]


def receive(delivery: Path, repository: Path, online: OnlineKeys, *, now: datetime) -> Received:
    """Take a delivery in; the same one again changes nothing.

    The first root that is ever received is believed: whoever hands it over acts on this machine.
    Every later one must be signed by the one before (TUF 1.0.33 §5.3).

    Raises:
        TrustError: A signature, expiry, length or hash does not hold, or somebody rewrote a
            release.
        ConflictError: The delivery is older than what is here.
        ConfigError: Its root names other online keys than ours.
        NotFoundError: It is no repository.
        UnreachableError: The folder cannot be written.
    """
    roots = _new_roots(delivery, repository)
    root = (roots[-1] if roots else newest(repository, Root)).signed
    _require_living("root.json", root.expires, now)
    _require_ours(root, online)
    targets = newest(delivery, Targets)
    _verify(root, targets, f"{targets.signed.version}.targets.json")
    _require_living("targets.json", targets.signed.expires, now)
    _require_newer(repository, targets)
    manifests = _checked_files(targets.signed, (delivery, repository))
    for path in sorted(targets.signed.targets):
        _copy(delivery / "targets" / path, repository / "targets" / path)
    for root_metadata in roots:
        write_metadata(repository, root_metadata)
    write_metadata(repository, targets)
    return Received(targets_version=targets.signed.version, manifests=manifests)


def root_text(repository: Path) -> str | None:
    """The newest ``root.json``: what a box is told at its enrolment; None without releases."""
    versions = metadata_versions(repository, Root.type)
    if not versions:
        return None
    path = repository / "metadata" / f"{versions[-1]}.root.json"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreachableError(f"{path} cannot be read: {error.strerror}") from error


def signature_ends(repository: Path) -> dict[str, datetime]:
    """Role of the offline keys → when what they signed ends; empty without releases."""
    if not metadata_versions(repository, Targets.type):
        return {}
    return {
        Root.type: newest(repository, Root).signed.expires,
        Targets.type: newest(repository, Targets).signed.expires,
    }


def _new_roots(delivery: Path, repository: Path) -> list[Metadata[Root]]:
    """Roots that are not here yet, each signed by the one before and by itself."""
    known = metadata_versions(repository, Root.type)
    brought = metadata_versions(delivery, Root.type)
    if not brought:
        raise NotFoundError(
            f"{delivery} holds no root.json", hint="name the folder of: its-camera-ai ml keys sign"
        )
    trusted: Metadata[Root] | None = newest(repository, Root) if known else None
    if trusted is not None and trusted.signed.version in brought:
        same = read_metadata(delivery / "metadata" / f"{trusted.signed.version}.root.json")
        if same.signed != trusted.signed:
            raise TrustError(
                f"{delivery} has another root {trusted.signed.version} than this coordinator",
                hint="boxes would refuse it: sign with the keys that the fleet trusts",
            )
    found: list[Metadata[Root]] = []
    for version in brought:
        if trusted is not None and version <= trusted.signed.version:
            continue
        root: Metadata[Root] = read_metadata(delivery / "metadata" / f"{version}.root.json")
        if trusted is not None:
            _verify(trusted.signed, root, f"{version}.root.json")
            if root.signed.version != trusted.signed.version + 1:
                raise TrustError(f"root {root.signed.version} follows {trusted.signed.version}")
        _verify(root.signed, root, f"{version}.root.json")
        found.append(root)
        trusted = root
    return found


def _verify(root: Root, metadata: Metadata[Any], name: str) -> None:
    try:
        root.verify_delegate(metadata.signed.type, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise TrustError(
            f"{name} is not signed by the keys that root {root.version} names: {error}",
            hint="compare with: its-camera-ai ml keys show",
        ) from error


def _require_living(name: str, expires: datetime, now: datetime) -> None:
    if expires <= now:
        raise TrustError(
            f"{name} expired at {expires:%Y-%m-%d %H:%M}Z", hint="sign it again with ml keys"
        )


def _require_ours(root: Root, online: OnlineKeys) -> None:
    for role, key in ((Snapshot.type, online.snapshot), (Timestamp.type, online.timestamp)):
        if tuf_key(key.public).keyid not in root.roles[role].keyids:
            raise ConfigError(
                f"root.json names another {role} key than this coordinator's",
                hint="make the root with the keys of: its-camera-ai registry online-keys",
            )


def _require_newer(repository: Path, targets: Metadata[Targets]) -> None:
    if not metadata_versions(repository, Targets.type):
        return
    here = newest(repository, Targets).signed
    if targets.signed.version < here.version:
        raise ConflictError(
            f"the list of the delivery has version {targets.signed.version}, "
            f"here is {here.version} already",
            hint="sign in a folder that was begun from the newest list",
        )
    if targets.signed.version == here.version and targets.signed != here:
        raise TrustError(f"two different lists were signed as version {here.version}")
    for path, entry in here.targets.items():
        if targets.signed.targets.get(path, entry).hashes != entry.hashes:
            raise TrustError(f"{path} was signed before with other content")


def _checked_files(targets: Targets, folders: Iterable[Path]) -> dict[str, ReleaseManifest]:
    manifests = {}
    for path, entry in targets.targets.items():
        file = next((f for folder in folders if (f := folder / "targets" / path).is_file()), None)
        if file is None:
            raise TrustError(f"{path} is named by the list and not in the delivery")
        _check_file(file, entry)
        if not path.startswith("releases/"):
            continue
        content = file.read_bytes()
        try:
            manifest = ReleaseManifest.model_validate_json(content)
        except ValidationError as error:
            raise TrustError(f"{path} is signed and yet no manifest of ours") from error
        signed = {one.path: targets.targets.get(one.path) for one in manifest.artefacts}
        for one in manifest.artefacts:
            known = signed[one.path]
            if known is None or known.hashes.get("sha256") != one.sha256:
                raise TrustError(f"{path} names {one.path}, which the list does not")
        if manifest.path != path:
            raise TrustError(f"{path} says that it is {manifest.path}")
        manifests[sha256(content).hexdigest()] = manifest
    return manifests


def _check_file(file: Path, entry: TargetFile) -> None:
    try:
        with file.open("rb") as opened:
            entry.verify_length_and_hashes(opened)
    except LengthOrHashMismatchError as error:
        raise TrustError(f"{file} is not the file that was signed: {error}") from error
    except OSError as error:
        raise UnreachableError(f"{file} cannot be read: {error.strerror}") from error


def _copy(source: Path, target: Path) -> None:
    """Artefacts never change: one that is here was checked."""
    if not source.is_file() or target.exists():
        return
    beside = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, beside)
        beside.chmod(0o644)
        beside.replace(target)
    except OSError as error:
        raise UnreachableError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
