"""Files of one model → a small JSON beside them that says which is which."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.road_users import ROAD_USERS

NAME = "its-yolo11n"
VERSION = "1.0.0"
START_NAME = "yolo11n.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """The machine-readable side of a model card.

    Attributes:
        name: Model name.
        version: Semantic version of the weights.
        classes: Class names in output order.
        sha256: File name → checksum.
        default: File name that a box runs unless told otherwise.
    """

    name: str
    version: str
    classes: tuple[str, ...]
    sha256: dict[str, str]
    default: str

    def as_plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "classes": list(self.classes),
            "sha256": self.sha256,
            "default": self.default,
        }


def write_facts(folder: Path, *, name: str, version: str, default: str) -> Path:
    """Write ``<name>-<version>.json`` over every file of that model in ``folder``.

    Args:
        folder: Where the checkpoint and the ONNX files lie.
        name: Model name.
        version: Semantic version of the weights.
        default: File name that a box runs unless told otherwise.

    Raises:
        ValueError: ``default`` is not one of the files.
    """
    stem = f"{name}-{version}"
    files = sorted(p for p in folder.glob(f"{stem}*") if p.suffix in (".onnx", ".pt"))
    if default not in [path.name for path in files]:
        raise ValueError(f"default is {default}, expected one of {[path.name for path in files]}")
    facts = ModelFacts(
        name=name,
        version=version,
        classes=tuple(str(road_user) for road_user in ROAD_USERS),
        sha256={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        default=default,
    )
    target = folder / f"{stem}.json"
    target.write_text(json.dumps(facts.as_plain(), indent=1) + "\n", encoding="utf-8")
    return target


def read_facts(path: Path) -> ModelFacts:
    """Read the JSON that lies beside the weights.

    Raises:
        ConfigError: Missing, not JSON, or without one of the keys.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return ModelFacts(
            name=content["name"],
            version=content["version"],
            classes=tuple(content["classes"]),
            sha256=dict(content["sha256"]),
            default=content["default"],
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"model facts {path} do not exist", hint="run its-camera-ai ml export"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"model facts {path} are not readable: {error}",
            hint="write them again with its-camera-ai ml export",
        ) from error
