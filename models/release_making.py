"""A sealed candidate → manifest, model and calibration set of a release, ready to be signed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from common.errors import ConfigError
from common.release.candidate import Lineage, read_entry, read_verdict, weights_of
from common.release.manifest import (
    Artefact,
    Gate,
    ReleaseLineage,
    ReleaseManifest,
    artefact_path,
    is_model_version,
)
from common.road_users import ROAD_USERS
from common.settings_files import explain
from models.benchmark import run_edge


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRelease:
    """What is signed.

    Attributes:
        files: Target path of each artefact → where it lies now.
    """

    manifest: ReleaseManifest
    files: dict[str, Path]


@contextmanager
def make_release(
    candidate: Path, *, version: str | None, gate: Gate, frames: int
) -> Iterator[MadeRelease]:
    """Check the candidate, draw the calibration set and look at it with the candidate's model.

    Args:
        candidate: A folder that a bench sealed.
        version: What it shall be called.
        gate: What boxes will ask for.
        frames: Frames of the calibration set.

    Raises:
        TrustError: A file of the candidate is not the one that was sealed.
        ConfigError: The bench rejected it, it has no ONNX file, or no version of ours.
    """
    lineage = read_entry(candidate)
    called = version or lineage.model_version
    if not is_model_version(called):
        raise ConfigError(
            f"version {called!r}, expected one such as 1.2.0",
            hint="give --version as the registry calls it",
        )
    weights = _weights(candidate, lineage)
    with tempfile.TemporaryDirectory() as scratch:
        calibration = Path(scratch) / "calibration.npz"
        # The bench may not import the edge; and what counts is what a box will find.
        run_edge("calibration", "--model", str(weights), "--out", str(calibration),
                 "--frames", str(frames), "--json")  # fmt: skip
        artefacts = [_artefact(weights, ".onnx"), _artefact(calibration, ".npz")]
        try:
            manifest = ReleaseManifest(
                name=lineage.name,
                version=called,
                model=artefacts[0],
                classes=ROAD_USERS,
                calibration=artefacts[1],
                gate=gate,
                lineage=ReleaseLineage(
                    parent=f"{lineage.parent_name} {lineage.parent_version}",
                    run=lineage.run,
                    rounds=lineage.rounds,
                    data_statement=lineage.data_statement,
                ),
            )
        except ValidationError as error:
            raise ConfigError(f"candidate {candidate}: {explain(error)}") from error
        files = {artefacts[0].path: weights, artefacts[1].path: calibration}
        yield MadeRelease(manifest=manifest, files=files)


def _weights(candidate: Path, lineage: Lineage) -> Path:
    verdict, _ = read_verdict(candidate, lineage)
    if verdict is None or not verdict.passed:
        reasons = "; ".join(verdict.reasons) if verdict else "nobody measured it"
        raise ConfigError(f"candidate {candidate} was rejected: {reasons}")
    weights = weights_of(lineage)
    if weights is None:
        raise ConfigError(f"candidate {candidate} holds no ONNX file, expected one for boxes")
    return candidate / weights


def _artefact(file: Path, suffix: str) -> Artefact:
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return Artefact(
        path=artefact_path(sha256, suffix), sha256=sha256, size_bytes=file.stat().st_size
    )
