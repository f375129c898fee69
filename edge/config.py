"""edge.yaml → the validated settings of the agent on one box."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.errors import ConfigError
from common.ids import Slug
from common.settings_files import read_settings
from common.site import Camera, Site
from edge.anonymise.settings import PrivacySettings
from edge.learn.settings import LearnSettings
from edge.update.settings import ReleaseSettings

_HINT = "see docs/edge.example.yaml for every key of the agent's configuration"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StoreSettings(_Model):
    """How much the box remembers; the oldest goes first, and what is lost is counted."""

    max_days: float = Field(default=30, gt=0, le=3660)
    max_mb: float = Field(default=1000, ge=1, le=1_000_000)


class HealthSettings(_Model):
    """How often the agent says how it is, and when a camera counts as stuck."""

    every_s: float = Field(default=10, ge=0.1, le=600)
    no_progress_s: float = Field(
        default=60, ge=5, le=3600, description="A camera that did nothing for so long is stuck"
    )


class CoordinatorSettings(_Model):
    """How measurements are sent; where to is told by the identity, which ``edge enroll`` makes."""

    identity_folder: Path | None = Field(
        default=None, description="Keys and certificates; default: identity in the data folder"
    )
    protocol: Literal["3.1.1", "5"] | None = Field(
        default=None, description="MQTT version; default: what the coordinator told at enrolment"
    )
    window: int = Field(
        default=64, ge=1, le=1000, description="Reports without acknowledgement at a time"
    )
    outbox_mb: float = Field(
        default=200, ge=1, le=100_000, description="When full, the oldest minutes become coarser"
    )
    resend_after_s: float = Field(default=30, ge=1, le=3600)
    clock_wait_s: float = Field(
        default=600,
        ge=0,
        le=86_400,
        description="How long reports wait for a time server; then they leave, marked",
    )
    clock_is_right: bool = Field(
        default=False, description="Vouch for the clock of a box that no time server reaches"
    )
    twin_trial_minutes: float = Field(
        default=5,
        ge=0.1,
        le=1440,
        description="A configuration from the coordinator that harms is undone after so long",
    )


class EdgeConfig(_Model):
    """What the agent runs and where it keeps things; relative paths start at the file's folder."""

    site_file: Path
    data_folder: Path
    secrets_file: Path | None = Field(
        default=None, description="NAME=value lines for ${NAME} in sources; mode 0600"
    )
    cameras: Annotated[tuple[Slug, ...], Field(min_length=1)] | None = Field(
        default=None, description="Which cameras of the site file to run; all without this key"
    )
    model: str | None = Field(
        default=None, description="Packaged model or path of an .onnx file; default: the newest"
    )
    backend: str = "onnx"
    threads: int = Field(default=0, ge=0, le=256, description="0: one per core")
    store: StoreSettings = StoreSettings()
    health: HealthSettings = HealthSettings()
    coordinator: CoordinatorSettings | None = Field(
        default=None, description="Without this section nothing leaves the box"
    )
    privacy: PrivacySettings = PrivacySettings()
    plates_on_request: bool = Field(
        default=False,
        description="Send a redacted picture of the empty scene when the coordinator asks for it",
    )
    learn: LearnSettings | None = Field(
        default=None, description="Without this section no picture is kept to learn from"
    )
    release: ReleaseSettings = ReleaseSettings()

    @model_validator(mode="after")
    def _plates_can_be_redacted(self) -> Self:
        if self.plates_on_request and self.privacy.face_model is None:
            raise ValueError(
                "plates_on_request is true and privacy.face_model is missing, expected a face "
                "detector: no picture leaves before faces were looked for"
            )
        return self

    @property
    def store_file(self) -> Path:
        """The SQLite file with the one-minute bins."""
        return self.data_folder / "bins.sqlite"

    @property
    def health_file(self) -> Path:
        """What the agent says about itself and its cameras."""
        return self.data_folder / "health.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one agent that may use the data folder."""
        return self.data_folder / "agent.lock"

    @property
    def identity_folder(self) -> Path:
        """Keys and certificates of this box."""
        chosen = self.coordinator.identity_folder if self.coordinator else None
        return chosen or self.data_folder / "identity"

    @property
    def outbox_file(self) -> Path:
        """The SQLite file with what is not acknowledged yet."""
        return self.data_folder / "outbox.sqlite"

    @property
    def at_rest_key_file(self) -> Path:
        """The key that closes what is kept on this box."""
        return self.data_folder / "at_rest.key"

    @property
    def learn_folder(self) -> Path:
        """Samples, their key, readiness and what training needs; closed to everybody else."""
        return self.data_folder / "learn"

    @property
    def engine_cache(self) -> Path:
        """Engines that were built on this box."""
        return self.data_folder / "engines"

    @property
    def release_folder(self) -> Path:
        """Slots, what was fetched and the record of releases; closed to everybody else."""
        return self.data_folder / "release"

    @property
    def takes_releases(self) -> bool:
        """Whether models of the coordinator may run on this box."""
        return self.coordinator is not None and self.release.enabled

    @property
    def egress_folder(self) -> Path:
        """The record of what left the box."""
        return self.data_folder / "egress"

    @property
    def noise_budget_file(self) -> Path:
        """The account of the noise on counts."""
        return self.data_folder / "noise.sqlite"

    @property
    def twin_file(self) -> Path:
        """What became of the coordinator's last configuration."""
        return self.data_folder / "twin.json"

    def cameras_of(self, site: Site) -> tuple[Camera, ...]:
        """The cameras to run.

        Raises:
            ConfigError: A camera that the site file does not have, or one that counts nothing.
        """
        wanted = self.cameras or [camera.id for camera in site.cameras]
        cameras = tuple(site.camera(camera_id) for camera_id in wanted)
        for camera in cameras:
            if not camera.source.strip():
                raise ConfigError(
                    f"camera {camera.id!r} has no source, expected one in the site file",
                    hint="set `source`, such as rtsp://user:${CAMERA_PASSWORD}@10.0.0.5/stream1",
                )
            if not camera.sections:
                raise ConfigError(
                    f"camera {camera.id!r} has no sections, expected at least one counting line",
                    hint="draw one with: its-camera-ai edge site-preview SOURCE --site site.yaml",
                )
        return cameras


def load_config(path: Path) -> EdgeConfig:
    """Read and validate the agent's configuration.

    Raises:
        ConfigError: Missing, not YAML, or not valid; one line with every mistake.
    """
    config = read_settings(path, EdgeConfig, name="configuration", option="--config", hint=_HINT)
    return _from_folder(config, path.resolve().parent)


def _from_folder(config: EdgeConfig, folder: Path) -> EdgeConfig:
    moved: dict[str, Any] = {
        "site_file": folder / config.site_file,
        "data_folder": folder / config.data_folder,
    }
    if config.secrets_file is not None:
        moved["secrets_file"] = folder / config.secrets_file
    if config.coordinator is not None and config.coordinator.identity_folder is not None:
        moved["coordinator"] = config.coordinator.model_copy(
            update={"identity_folder": folder / config.coordinator.identity_folder}
        )
    if config.privacy.face_model is not None:
        moved["privacy"] = config.privacy.model_copy(
            update={"face_model": folder / config.privacy.face_model}
        )
    if config.release.root_file is not None:
        moved["release"] = config.release.model_copy(
            update={"root_file": folder / config.release.root_file}
        )
    if config.model is not None and config.model.endswith(".onnx"):
        moved["model"] = str(folder / config.model)
    return config.model_copy(update=moved)
