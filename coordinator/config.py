"""coordinator.yaml → the validated settings of the coordinator."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from common.ids import Slug
from common.rounds import ParentModel
from common.settings_files import read_settings
from coordinator.alert_settings import AlertSettings
from coordinator.api_settings import ApiSettings, SignInSettings, refuse_open_api
from coordinator.setting_types import Host, Names, Port, SettingsModel

DEFAULT_CONFIG = Path("/etc/its/coordinator.yaml")
_HINT = "see docs/coordinator.example.yaml for every key of the coordinator's configuration"


class TenantSettings(SettingsModel):
    """Whose data this coordinator keeps."""

    id: Slug = "city"
    name: str = Field(default="City", min_length=1, max_length=128)


class BrokerSettings(SettingsModel):
    """Where boxes and coordinator exchange messages; always TLS 1.3 with certificates.

    ``embedded`` runs in this process and speaks MQTT 3.1.1 only; ``external`` is a mosquitto or
    an EMQX cluster.
    """

    kind: Literal["embedded", "external"] = "embedded"
    host: Host = "127.0.0.1"
    port: Port = 8883
    names: Names = Field(
        default=("127.0.0.1", "localhost"),
        description="What boxes may call the broker, the first is told; stand in its certificate",
    )
    public_port: Port | None = Field(
        default=None, description="When boxes reach it through another port"
    )
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    pid_file: Path | None = Field(
        default=None, description="mosquitto's; it is sent SIGHUP when the revocation list changes"
    )
    reload_command: Annotated[tuple[str, ...], Field(max_length=16)] = Field(
        default=(), description="Run instead, without a shell, such as [systemctl, reload, …]"
    )
    files_group: str | None = Field(
        default=None, description="Group of the external broker's user, who reads its files"
    )
    most_connections: int = Field(default=1000, ge=2, le=100_000, description="embedded only")
    most_waiting: int = Field(
        default=4000, ge=10, le=60_000, description="embedded only: messages held in memory"
    )

    @model_validator(mode="after")
    def _speaks_it(self) -> Self:
        if self.kind == "embedded" and self.protocol == "5":
            raise ValueError("the embedded broker speaks 3.1.1, expected protocol 3.1.1")
        return self

    @property
    def connect_host(self) -> str:
        """Where this coordinator itself finds the broker."""
        try:
            address = ip_address(self.host)
        except ValueError:
            return self.host
        if not address.is_unspecified:
            return self.host
        return "127.0.0.1" if address.version == 4 else "::1"

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """What boxes and what the coordinator call it."""
        return tuple(dict.fromkeys((*self.names, self.connect_host)))


class DeviceListenerSettings(SettingsModel):
    """The HTTPS address where boxes enrol and renew; nothing else is answered there."""

    host: Host = "127.0.0.1"
    port: Port = 8443
    names: Names = Field(
        default=("127.0.0.1", "localhost"),
        description="What boxes may call it; stands in its certificate, the first in tokens",
    )
    public_port: Port | None = Field(
        default=None, description="When boxes reach it through another port"
    )

    @property
    def url(self) -> str:
        """What a token tells the box to call."""
        return f"https://{self.names[0]}:{self.public_port or self.port}"


class IngestSettings(SettingsModel):
    """How reports are taken in."""

    batch: int = Field(default=200, ge=1, le=10_000)
    queue: int = Field(default=2000, ge=1, le=1_000_000)
    workers: int = Field(default=1, ge=1, le=32)


class RetentionSettings(SettingsModel):
    """How long what is kept."""

    minutes_days: int = Field(default=400, ge=2, le=36_500)
    quarantine_days: int = Field(default=30, ge=1, le=3650)


class TrustSettings(SettingsModel):
    """How long certificates and keys are good."""

    device_hours: int = Field(default=168, ge=1, le=8760)
    server_days: int = Field(default=90, ge=1, le=825)
    token_hours: float = Field(default=24, gt=0, le=8760)
    key_days: int = Field(default=90, ge=1, le=3660, description="After so long the next key is on")
    old_key_days: int = Field(
        default=60, ge=1, le=3660, description="So long reports sealed to an old key are opened"
    )
    crl_days: int = Field(default=30, ge=1, le=365)


class LearningListenerSettings(SettingsModel):
    """Where boxes reach the rounds; a proxy that passes ``/v1/fleet/`` alone listens there."""

    host: Host = Field(description="What boxes are told; stands in the proxy's certificate")
    port: Port = 9443


class FederationSettings(SettingsModel):
    """Rounds in which boxes train a model together; Flower's SuperLink stays on loopback."""

    port: Port = Field(default=9092, description="SuperLink, at 127.0.0.1")
    hub_port: Port = Field(default=9094, description="Signed training bundles, at 127.0.0.1")
    public: LearningListenerSettings | None = Field(
        default=None, description="None: boxes on this machine alone, without a proxy"
    )
    release_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")] | None = Field(
        default=None, description="Public half, base64; the private half is not kept here"
    )
    bundle: Path | None = Field(
        default=None, description="Folder of the signed bundle; default data_folder/…/bundle"
    )
    parent: ParentModel | None = Field(
        default=None, description="What runs start from when they do not say"
    )
    anchor_data: Path | None = Field(default=None, description="Labelled sets that keep a run true")
    evaluation: Path | None = Field(default=None, description="Labelled sets that score rounds")
    least_samples: int = Field(default=20, ge=0, description="Of a device, to be asked")
    first_deadline_s: float = Field(
        default=900, gt=0, le=7 * 86_400, description="For devices that were never measured"
    )
    deadline_margin: float = Field(default=2.0, ge=1, le=100, description="Times the usual time")
    most_deadline_s: float = Field(default=6 * 3600, gt=0, le=7 * 86_400)
    most_restarts: int = Field(
        default=5, ge=0, le=1000, description="Of a bench that finishes no round between them"
    )
    bench_command: Annotated[tuple[str, ...], Field(max_length=32)] = Field(
        default=(), description="Run with a run folder instead of Flower, such as a simulation"
    )


class CoordinatorConfig(SettingsModel):
    """What the coordinator runs and where it keeps things."""

    data_folder: Path
    database: str | None = Field(
        default=None, description="sqlite:////path or postgresql://user@host/name"
    )
    tenant: TenantSettings = TenantSettings()
    broker: BrokerSettings = BrokerSettings()
    api: ApiSettings = ApiSettings()
    sign_in: SignInSettings = SignInSettings()
    alerts: AlertSettings = AlertSettings()
    devices: DeviceListenerSettings = DeviceListenerSettings()
    ingest: IngestSettings = IngestSettings()
    retention: RetentionSettings = RetentionSettings()
    trust: TrustSettings = TrustSettings()
    federation: FederationSettings | None = None

    @property
    def database_url(self) -> str:
        """The named database, or SQLite in the data folder."""
        return self.database or f"sqlite:///{self.data_folder / 'coordinator.sqlite'}"

    @property
    def keys_folder(self) -> Path:
        """Private keys; 0700."""
        return self.data_folder / "keys"

    @property
    def audit_file(self) -> Path:
        """Signed checkpoints of the audit log; copy it to another machine from time to time."""
        return self.data_folder / "audit" / "checkpoints.jsonl"

    @property
    def broker_folder(self) -> Path:
        """What the broker reads: certificates, revocation list, ACL, configuration."""
        return self.data_folder / "broker"

    @property
    def federation_folder(self) -> Path:
        """Runs, and Flower's own state; 0700."""
        return self.data_folder / "federation"


def load_config(path: Path) -> CoordinatorConfig:
    """Read and validate the coordinator's configuration.

    Raises:
        ConfigError: Missing, not YAML, not valid, or an API that the network reaches in the clear.
    """
    config = read_settings(
        path, CoordinatorConfig, name="configuration", option="--config", hint=_HINT
    )
    refuse_open_api(config.api)
    folder = path.resolve().parent
    moved: dict[str, Any] = {"data_folder": folder / config.data_folder}
    moved["api"] = config.api.beside(folder)
    moved["alerts"] = config.alerts.beside(folder)
    if config.federation is not None:
        moved["federation"] = _beside(config.federation, folder)
    return config.model_copy(update=moved)


def _beside(federation: FederationSettings, folder: Path) -> FederationSettings:
    """Relative paths start at the folder of the configuration."""
    named = {name: getattr(federation, name) for name in ("anchor_data", "evaluation", "bundle")}
    moved: dict[str, Any] = {name: folder / path for name, path in named.items() if path}
    if federation.parent is not None:
        file = folder / federation.parent.file
        moved["parent"] = federation.parent.model_copy(update={"file": file})
    return federation.model_copy(update=moved)
