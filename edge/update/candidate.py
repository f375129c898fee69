"""A fetched release beside the model in use → whether it can run here, and the gate's order."""

from __future__ import annotations

from pathlib import Path

import structlog

from common.errors import ItsError
from common.release import reasons
from edge.detect.models import find_model
from edge.update.gate_process import GateOrder, ModelToMeasure
from edge.update.releases import ChosenModel
from edge.update.slots import ReleaseFiles

log = structlog.get_logger(__name__)


def unusable(files: ReleaseFiles) -> str | None:
    """Why this product cannot run a model that is the signed one, or None."""
    try:
        names = find_model(str(files.model)).class_names
    except ItsError as error:
        log.error("release_unusable", error=str(error))  # noqa: TRY400
        return reasons.UNUSABLE
    expected = tuple(each.value for each in files.manifest.classes)
    if names != expected:
        log.error("release_unusable", classes=names[:12], expected=expected)
        return reasons.UNUSABLE
    return None


def gate_order(
    files: ReleaseFiles, running: ChosenModel, *, backend: str, engine_cache: Path
) -> GateOrder:
    """Both models and the pictures they are measured on.

    Raises:
        ValueError: The release came without pictures.
    """
    if files.calibration is None:
        raise ValueError(f"{files.model} came without a calibration set")
    return GateOrder(
        backend=backend,
        engine_cache=engine_cache,
        candidate=ModelToMeasure(path=files.model, input_long_side=files.manifest.input_long_side),
        active=ModelToMeasure(path=running.model.path, input_long_side=running.input_long_side),
        calibration=files.calibration,
        classes=files.manifest.classes,
    )
