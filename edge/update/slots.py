"""Files of releases on the box ↔ slots that hold exactly what the record says of them.

``<data>/release/`` holds ``a`` and ``b`` (a manifest and a model each), ``metadata`` and
``targets`` (what TUF remembers and has fetched) and ``active.json`` (the record). Only the
record says what counts: a folder that it does not name, or names otherwise, is rubbish.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from common.errors import TrustError, UnreachableError
from common.private_files import make_private_folder, sync_folder, write_private
from common.release.manifest import MOST_MANIFEST_BYTES, ReleaseManifest, manifest_path
from common.release_state import SlotName
from edge.update.record import SlotNote

MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
_FRESH, _OLD = ".new", ".old"
_SLOTS = (SlotName.A, SlotName.B)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFiles:
    """A release as it lies on the disk, every byte of it as the note says.

    Attributes:
        calibration: None in a slot: it was used at the gate.
    """

    manifest: ReleaseManifest
    model: Path
    calibration: Path | None = None


class Slots:
    """The release folder of one box; power may fail between any two lines."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``; it is made when something is put there."""
        self.folder = folder

    def make(self) -> None:
        """Have the folder, closed to everybody else.

        Raises:
            ConfigError: It cannot be made.
        """
        make_private_folder(self.folder)

    def note_of(self, name: str, version: str) -> SlotNote:
        """What the fetched manifest of a release says, to be remembered.

        Raises:
            TrustError: It is not there, or no manifest.
        """
        content = _manifest_bytes(self._fetched(manifest_path(name, version)))
        manifest = _manifest(content)
        return SlotNote(
            name=manifest.name,
            version=manifest.version,
            manifest_sha256=hashlib.sha256(content).hexdigest(),
            model_sha256=manifest.model.sha256,
        )

    def candidate(self, note: SlotNote) -> ReleaseFiles:
        """What was fetched, once every byte of it agrees with the note.

        Raises:
            TrustError: A file is missing or another one.
        """
        manifest = _noted(self._fetched(manifest_path(note.name, note.version)), note)
        model, calibration = (self._fetched(part.path) for part in manifest.artefacts)
        for path, part in zip((model, calibration), manifest.artefacts, strict=True):
            if _sha256(path) != part.sha256:
                raise TrustError(f"{path} is not the file that was signed")
        return ReleaseFiles(manifest=manifest, model=model, calibration=calibration)

    def held(self, slot: SlotName, note: SlotNote) -> ReleaseFiles:
        """What lies in a slot, once every byte of it agrees with the note.

        Raises:
            TrustError: A file is missing or another one.
        """
        folder = self.folder / slot.value
        manifest = _noted(folder / MANIFEST_FILE, note)
        model = folder / MODEL_FILE
        if _sha256(model) != note.model_sha256:
            raise TrustError(f"{model} is not the file that was verified")
        return ReleaseFiles(manifest=manifest, model=model)

    def whole(self, notes: Mapping[SlotName, SlotNote]) -> frozenset[SlotName]:
        """Those slots whose files agree with their notes."""
        found = set()
        for slot, note in notes.items():
            with suppress(TrustError):
                self.held(slot, note)
                found.add(slot)
        return frozenset(found)

    def install(self, note: SlotNote, slot: SlotName) -> None:
        """Put the candidate into a slot; safe to begin again after any interruption.

        Raises:
            TrustError: The candidate is not what the note says.
            UnreachableError: The disk is full or failing.
        """
        with suppress(TrustError):
            self.held(slot, note)
            return
        files = self.candidate(note)
        place = self.folder / slot.value
        fresh, old = place.with_name(slot.value + _FRESH), place.with_name(slot.value + _OLD)
        try:
            for leftover in (fresh, old):
                shutil.rmtree(leftover, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            # Two names of one file: no second copy, and what was fetched stays until it is over.
            (fresh / MODEL_FILE).hardlink_to(files.model)
            manifest = self._fetched(manifest_path(note.name, note.version))
            write_private(fresh / MANIFEST_FILE, manifest.read_bytes())
            if place.exists():
                place.replace(old)
            fresh.replace(place)
            sync_folder(self.folder)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise UnreachableError(
                f"slot {place} cannot be written: {error.strerror}",
                hint="look at the disk's space and the owner of the folder",
            ) from error

    def tidy(self, notes: Mapping[SlotName, SlotNote], *, keeps_fetched: bool) -> None:
        """Remove what nothing refers to; the disk holds two slots and one download at most."""
        if not self.folder.is_dir():
            return
        for slot in _SLOTS:
            names = [slot.value + _FRESH, slot.value + _OLD]
            for name in names if slot in notes else (*names, slot.value):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        if not keeps_fetched:
            shutil.rmtree(self.folder / "targets", ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a power cut left half written; only before anything else writes here."""
        for pattern in (".*.json.*", "metadata/tmp*", "metadata/.*"):
            for left in self.folder.glob(pattern):
                with suppress(OSError):
                    left.unlink()

    def free_bytes(self) -> int:
        """What the disk has left for us."""
        return shutil.disk_usage(self.folder).free

    def _fetched(self, target: str) -> Path:
        return self.folder / "targets" / target


def _noted(path: Path, note: SlotNote) -> ReleaseManifest:
    content = _manifest_bytes(path)
    if hashlib.sha256(content).hexdigest() != note.manifest_sha256:
        raise TrustError(f"{path} is not the manifest that was verified")
    return _manifest(content)


def _manifest_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MOST_MANIFEST_BYTES:
                raise TrustError(f"{path} is longer than a manifest may be")
            return file.read()
    except OSError as error:
        raise TrustError(f"{path} cannot be read: {error.strerror}") from error


def _manifest(content: bytes) -> ReleaseManifest:
    try:
        return ReleaseManifest.model_validate_json(content)
    except ValidationError as error:
        raise TrustError("release manifest is not one of ours") from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrustError(f"{path} cannot be read: {error.strerror}") from error
