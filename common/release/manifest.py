"""What belongs to one release → one closed, bounded model, and the names of its files.

A manifest is itself a signed target; it names the model and the calibration set by their
digests, so whoever believes the manifest knows every byte that belongs to the release.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.ids import Slug
from common.road_users import RoadUser
from common.wire import Digest, Share

SEMANTIC_VERSION = (
    r"^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(-[0-9a-z][0-9a-z.-]{0,31})?$"
)
"""Semantic Versioning 2.0.0 in lower case, without build metadata: equal versions, equal files."""

METADATA_PATH = "/releases/metadata"
TARGETS_PATH = "/releases/targets"
"""Where the coordinator's device listener hands both out."""

MOST_MANIFEST_BYTES = 65_536
MOST_MODEL_BYTES = 512 * 2**20
"""Ten times the biggest YOLO11 in float32."""
MOST_CALIBRATION_BYTES = 64 * 2**20

ModelVersion = Annotated[str, StringConstraints(pattern=SEMANTIC_VERSION)]
_ARTEFACT = r"^artefacts/[0-9a-f]{64}\.(onnx|npz)$"
_Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
_Bounded = Annotated[float, Field(ge=-1e9, le=1e9)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Artefact(_Part):
    """One file of a release, named by its own digest.

    Attributes:
        path: Target path, such as ``artefacts/3f2a….onnx``.
    """

    path: Annotated[str, StringConstraints(pattern=_ARTEFACT)]
    sha256: Digest
    size_bytes: Annotated[int, Field(gt=0, le=MOST_MODEL_BYTES)]

    @model_validator(mode="after")
    def _is_named_by_its_digest(self) -> Self:
        if not self.path.startswith(f"artefacts/{self.sha256}."):
            raise ValueError(f"artefact {self.path} is not named by its digest {self.sha256}")
        return self


class Gate(_Part):
    """What a box measures on the calibration set before it lets a model count.

    Attributes:
        least_match: Share of the reference's boxes that this box's engine finds again: whether
            the engine that was built here is still the model that was judged.
        least_f1: F1 of the engine's boxes on the truth of the calibration set.
        most_f1_loss: How much of F1 the model in use may be ahead, measured on the same frames.
    """

    least_match: Share = 0.9
    least_f1: Share = 0.3
    most_f1_loss: Share = 0.02


class ReleaseLineage(_Part):
    """Where the model came from, as a box can show it.

    Attributes:
        parent: Name and version of the model that it was made from, None for the first.
        run: Federated run that made it, None for one trained on the bench.
    """

    parent: Annotated[str, StringConstraints(max_length=160)] | None = None
    run: Slug | None = None
    rounds: Annotated[int, Field(ge=0, le=100_000)] = 0
    data_statement: _Text


class ReleaseManifest(_Part):
    """One release of one model.

    Attributes:
        input_long_side: Longer side of the network's input in pixels.
        classes: Class names that the numbers of the calibration set stand for.
        counting: Defaults of the counting that were judged together with this model, by name.
    """

    schema_version: Literal[1] = 1
    name: Slug
    version: ModelVersion
    model: Artefact
    input_long_side: Annotated[int, Field(ge=32, le=4096, multiple_of=32)] = 640
    classes: Annotated[tuple[RoadUser, ...], Field(min_length=1, max_length=len(RoadUser))]
    calibration: Artefact
    gate: Gate = Gate()
    lineage: ReleaseLineage
    counting: Annotated[dict[Slug, _Bounded], Field(max_length=32)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _holds_the_right_kinds(self) -> Self:
        if not self.model.path.endswith(".onnx") or not self.calibration.path.endswith(".npz"):
            raise ValueError("a release is an .onnx model and an .npz calibration set")
        if self.calibration.size_bytes > MOST_CALIBRATION_BYTES:
            raise ValueError(f"calibration set of {self.calibration.size_bytes} bytes is too big")
        return self

    @property
    def path(self) -> str:
        """Target path of this manifest."""
        return manifest_path(self.name, self.version)

    @property
    def artefacts(self) -> tuple[Artefact, Artefact]:
        """Model, then calibration set."""
        return self.model, self.calibration

    def to_bytes(self) -> bytes:
        """The exact text that is signed; equal manifests give equal bytes."""
        return (self.model_dump_json(indent=1) + "\n").encode()


def manifest_path(name: str, version: str) -> str:
    """``releases/<name>/<version>.json``."""
    return f"releases/{name}/{version}.json"


def artefact_path(sha256: str, suffix: str) -> str:
    """``artefacts/<sha256>.onnx`` or ``.npz``."""
    return f"artefacts/{sha256}{suffix}"


def is_model_version(text: str) -> bool:
    """True for a version that a release may carry."""
    return re.fullmatch(SEMANTIC_VERSION, text) is not None


def precedence(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
    """Sorts versions as Semantic Versioning 2.0.0 §11 does: 1.2.0-rc.1 before 1.2.0.

    Raises:
        ValueError: Not such a version.
    """
    if not is_model_version(version):
        raise ValueError(f"{version!r} is no semantic version")
    numbers, _, before = version.partition("-")
    parts = tuple(
        (not part.isdigit(), int(part) if part.isdigit() else 0, part)
        for part in before.split(".")
        if before
    )
    return tuple(int(number) for number in numbers.split(".")), not before, parts
