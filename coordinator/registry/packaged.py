"""Models that came with the installation → their facts, without running any of their code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import ConfigError
from common.ids import Slug
from common.release.candidate import FileName
from common.release.manifest import ModelVersion
from common.wire import Digest

# The weights travel in the package of the training bench, whose code stays unimported.
_WEIGHTS_PACKAGE = "models"


class PackagedModel(BaseModel):
    """The machine-readable side of a model card.

    Attributes:
        sha256: File name → checksum.
        default: File name that a box runs unless told otherwise.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Slug
    version: ModelVersion
    sha256: dict[FileName, Digest]
    default: FileName


def packaged_folder() -> Path | None:
    """Where the installed weights lie; None where they are not installed."""
    spec = importlib.util.find_spec(_WEIGHTS_PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) / "weights" if locations else None


def packaged_models(folder: Path | None) -> list[PackagedModel]:
    """What a folder of weights says about itself.

    Raises:
        ConfigError: A facts file is not readable.
    """
    found = []
    for path in sorted(folder.glob("*.json")) if folder else ():
        try:
            found.append(PackagedModel.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError) as error:
            raise ConfigError(
                f"{path} says nothing usable about a model", hint="install the package again"
            ) from error
    return found
