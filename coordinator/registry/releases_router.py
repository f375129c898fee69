"""Requests of boxes → signed metadata and the files it names, read only.

Everything here is signed and nothing is secret, so nobody has to say who they are.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse

from common.errors import NotFoundError
from common.ids import SLUG_PATTERN
from common.release.manifest import METADATA_PATH, SEMANTIC_VERSION, TARGETS_PATH
from coordinator.dependencies import ContainerDep
from coordinator.problems import problems
from coordinator.security.access import public

_JSON = "application/json"
_BYTES = "application/octet-stream"
_METADATA = r"^([1-9]\d{0,8}\.(root|targets|snapshot)|timestamp)\.json$"
_ARTEFACT = r"^[0-9a-f]{64}\.(onnx|npz)$"
_MANIFEST = f"{SEMANTIC_VERSION.removesuffix('$')}\\.json$"

# A box has no session, and the files vouch for themselves.
router = APIRouter(tags=["releases"], responses=problems(404), dependencies=[public()])


@router.get(METADATA_PATH + "/{file}", response_class=FileResponse)
def metadata(
    file: Annotated[str, Path(pattern=_METADATA)], container: ContainerDep
) -> FileResponse:
    """Who signed what, and until when it holds (TUF 1.0.33)."""
    return _file(container.releases().folder / "metadata" / file, _JSON)


@router.get(TARGETS_PATH + "/releases/{name}/{file}", response_class=FileResponse)
def manifest(
    name: Annotated[str, Path(pattern=SLUG_PATTERN)],
    file: Annotated[str, Path(pattern=_MANIFEST, max_length=80)],
    container: ContainerDep,
) -> FileResponse:
    """What belongs to one release."""
    return _file(container.releases().folder / "targets" / "releases" / name / file, _JSON)


@router.get(TARGETS_PATH + "/artefacts/{file}", response_class=FileResponse)
def artefact(
    file: Annotated[str, Path(pattern=_ARTEFACT)], container: ContainerDep
) -> FileResponse:
    """A model or a calibration set, under its own digest."""
    return _file(container.releases().folder / "targets" / "artefacts" / file, _BYTES)


def _file(path: FilePath, media_type: str) -> FileResponse:
    if not path.is_file():
        raise NotFoundError(f"no release file {path.name}")
    return FileResponse(path, media_type=media_type, headers={"cache-control": "no-cache"})
