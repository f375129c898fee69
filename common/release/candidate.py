"""A folder that a bench sealed → where the candidate came from and what was measured of it.

Written by ``models``, read by whoever files it: both ends hold every file against the digests
in ``lineage.json``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from common.errors import ConfigError, TrustError
from common.ids import Slug
from common.settings_files import explain
from common.wire import Digest, Message, Version

LINEAGE_FILE = "lineage.json"
METRICS_FILE = "metrics.json"
VERDICT_FILE = "verdict.json"
MOST_EVIDENCE_BYTES = 4 * 2**20
"""Of ``metrics.json``: a hundred rounds of a hundred boxes are a tenth of it."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
FileName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_][0-9A-Za-z._+-]{0,127}$")]


class TrainedOn(Message):
    """One device's part in a candidate.

    Attributes:
        samples: Images that the coordinator knew of; none of them left the device.
        rounds: In how many rounds its update was taken.
    """

    device: Slug
    samples: Annotated[int, Field(ge=0)]
    rounds: Annotated[int, Field(ge=0)]


class Lineage(Message):
    """Where a candidate came from.

    Attributes:
        parent_sha256: Checkpoint that everybody started from.
        data_statement: In words: what it was trained on, and who could see that.
        code_version: Release and source digest of the bench that wrote it.
        files: File name → checksum of everything else in the folder.
        epsilon: Privacy spent with ``delta`` of the plan, None without noise.
    """

    version: Literal[1] = 1
    name: Slug
    model_version: Version
    created_at: AwareDatetime
    parent_name: Slug
    parent_version: Version
    parent_sha256: Digest
    run: Slug
    rounds: Annotated[int, Field(ge=0)]
    clients: tuple[TrainedOn, ...]
    data_statement: Text
    code_version: Text
    ledger_head: Digest | None = None
    epsilon: float | None = None
    passed: bool | None = None
    files: dict[FileName, Digest] = Field(default_factory=dict)


class _Evidence(BaseModel):
    # Scores and counts may grow fields; what a gate asks for is what is read here.
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class CountsTogether(_Evidence):
    """How the counts of all proof scenes agree with their truth."""

    true: int
    missed: int
    false: int
    wrong_class: int


class Side(_Evidence):
    """What was measured of one model: precision per set, counts per scene."""

    scores: dict[str, Any]
    counts: tuple[dict[str, Any], ...]
    counts_together: CountsTogether


class Judged(_Evidence):
    """A candidate beside the model that it wants to replace.

    Attributes:
        gain_map50_95: Change of mAP50-95, mean over the sets, as a share.
    """

    passed: bool
    reasons: tuple[str, ...]
    gain_map50_95: float
    code_version: str
    candidate: Side
    against: Side


class Verdict(_Evidence):
    """Whether the candidate may replace its parent, and every reason why not."""

    passed: bool
    reasons: tuple[str, ...] = ()


class _Metrics(_Evidence):
    judged: Judged | None = None


_Kind = TypeVar("_Kind", bound=BaseModel)


def read_entry(folder: Path) -> Lineage:
    """Read a candidate's lineage and hold every file against it.

    Raises:
        ConfigError: No lineage there, or one that is not readable.
        TrustError: A file is missing, or is not the one that was written.
    """
    path = folder / LINEAGE_FILE
    try:
        lineage = Lineage.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"lineage {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"lineage {path}: {explain(error)}") from error
    for name, expected in lineage.files.items():
        file = folder / Path(name).name
        if not file.is_file():
            raise TrustError(f"candidate file {file} is missing")
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != expected:
            raise TrustError(f"candidate file {file} has SHA-256 {found}, expected {expected}")
    return lineage


def read_verdict(folder: Path, lineage: Lineage) -> tuple[Verdict | None, Judged | None]:
    """What the bench said of a candidate; None for what it did not measure.

    Args:
        folder: The candidate, whose files ``read_entry`` held against the lineage.
        lineage: A file that it does not name is not believed.

    Raises:
        TrustError: A file is there and does not say it as the bench writes it.
    """
    verdict = _read(folder / VERDICT_FILE, Verdict) if VERDICT_FILE in lineage.files else None
    metrics = _read(folder / METRICS_FILE, _Metrics) if METRICS_FILE in lineage.files else None
    judged = metrics.judged if metrics else None
    if verdict is not None and judged is not None and verdict.passed and not judged.passed:
        raise TrustError(f"{folder}: the verdict says passed, the metrics say rejected")
    return verdict, judged


def weights_of(lineage: Lineage) -> str | None:
    """Name of the ONNX file of a candidate: the only one, or the one that is not INT8."""
    found = sorted(name for name in lineage.files if name.endswith(".onnx"))
    plain = [name for name in found if "-int8" not in name]
    return next(iter(plain or found), None)


def _read(path: Path, kind: type[_Kind]) -> _Kind | None:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_EVIDENCE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_EVIDENCE_BYTES:
        raise TrustError(f"{path} is longer than {MOST_EVIDENCE_BYTES} bytes")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise TrustError(f"{path}: {explain(error)}") from error
