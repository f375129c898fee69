"""A model's name or path, or nothing → one ONNX file with its identity."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigError, NotFoundError
from edge.detect.onnx_metadata import class_names, read_metadata

DEFAULT_MODEL = "its-yolo11n"
MODEL_VARIABLE = "ITS_MODEL"

# The weights travel in the package of the training bench, whose code stays unimported.
_WEIGHTS_PACKAGE = "models"
_STEM = re.compile(r"(?P<name>.+?)-(?P<version>\d+(?:\.\d+)*)(?P<variant>-[a-z0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One ONNX file and what it says about itself.

    Attributes:
        path: Where it lies.
        name: Stored name, else the file's name without version.
        version: Stored version, else the one in the file's name, else the start of the hash.
        sha256: Hash of the whole file, in hex.
        class_names: Class names in output order.
    """

    path: Path
    name: str
    version: str
    sha256: str
    class_names: tuple[str, ...]


def find_model(
    named: str | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    weights: Path | None = None,
) -> ModelFile:
    """Find and identify a model.

    Args:
        named: Path of an .onnx file, or the name of a packaged model with or without its
            version (``its-yolo11n``, ``its-yolo11n-1.0.0-int8``); None takes
            ``ITS_MODEL`` from the environment, else the packaged default.
        environment: Where ``ITS_MODEL`` is looked up.
        weights: Folder of packaged models; None finds the installed one.

    Raises:
        NotFoundError: No such file and no packaged model of this name.
        ConfigError: Not an ONNX file, or one without class names.
    """
    wanted = named or environment.get(MODEL_VARIABLE) or DEFAULT_MODEL
    path = Path(wanted)
    if path.suffix == ".pt":
        raise ConfigError(
            f"model {wanted} is a training checkpoint, expected an .onnx file",
            hint=f"run its-camera-ai ml export {wanted} where the train extra is installed",
        )
    if path.suffix != ".onnx" and not path.is_file():
        path = _packaged(wanted, weights or _packaged_weights())
    metadata = read_metadata(path)
    sha256 = _sha256(path)
    stem = _STEM.fullmatch(path.stem)
    # Ultralytics stores its own version under the same key; only our exports store a name.
    is_ours = "name" in metadata
    return ModelFile(
        path=path,
        name=metadata.get("name") or (stem["name"] if stem else path.stem),
        version=(metadata.get("version") if is_ours else None)
        or (stem["version"] if stem else sha256[:12]),
        sha256=sha256,
        class_names=class_names(metadata, model=path),
    )


def _packaged_weights() -> Path | None:
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) / "weights" if locations else None


def _packaged(name: str, weights: Path | None) -> Path:
    files = sorted(weights.glob("*.onnx")) if weights else []
    exact = [file for file in files if file.stem == name]
    # Without a version the newest full-precision file of that name is meant.
    versions = [
        (_version_key(match["version"]), file)
        for file in files
        if (match := _STEM.fullmatch(file.stem)) and match["name"] == name and not match["variant"]
    ]
    if exact or versions:
        return exact[0] if exact else max(versions)[1]
    shown = ", ".join(file.stem for file in files) or "none"
    raise NotFoundError(
        f"model {name!r} is neither a file nor a packaged model, packaged are: {shown}",
        hint=f"give a path to an .onnx file, or set {MODEL_VARIABLE}",
    )


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
