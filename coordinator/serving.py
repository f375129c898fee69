"""A container → the parts of a whole coordinator, of its API alone, or of ingest alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from common.errors import ConfigError, UnreachableError
from coordinator.app import create_app, create_device_app
from coordinator.container import CoordinatorContainer
from coordinator.federation.part import add_rounds
from coordinator.http_server import HttpAddress, HttpServer
from coordinator.ingest_part import IngestPart, ingest_part, kept
from coordinator.parts import Loop, Parts
from coordinator.registry.keeping import keep_releases
from coordinator.retention import keep_house
from coordinator.security.threats.findings import Severity
from coordinator.traffic.quality_watch import QualityWatch
from coordinator.traffic.rollups import sum_everything_due

_REVOCATIONS_S = 2.0
_TWINS_S = 5.0
_ROLLOUTS_S = 2.0
_KEYS_S = 600.0
_QUALITY_S = 300.0
_ROLLUPS_S = 5.0
_AUDIT_S = 60.0
_HOUSE_S = 6 * 3600.0
_EVENTS_S = 2.0
_THREATS_S = 30.0
_WEBHOOK_S = 5.0

_FIGURES = {
    "devices_enrolled": "Boxes that are believed",
    "devices_replaced": "Boxes that others replaced",
    "devices_retired": "Boxes that were taken out of service",
    "broker_connections": "Clients of the embedded broker",
    "issuing_certificate_days": "Days until the issuing certificate ends",
}


def everything(container: CoordinatorContainer) -> Parts:
    """API, enrolment, broker when it is embedded, ingest, rounds and all loops."""
    parts: Parts = container.parts()
    settings = container.settings()
    if settings.broker.kind == "embedded":
        container.runs_broker.override(True)
        parts.add("broker", container.embedded())
    _add_loops(container)
    _add_ingest(container, range(settings.ingest.workers), settings.ingest.workers)
    add_rounds(container)
    _add_http(container)
    container.metrics().add_figures(_fleet_figures(container), help_texts=_FIGURES)
    return parts


def api_alone(container: CoordinatorContainer) -> Parts:
    """API and enrolment; broker and ingest run elsewhere."""
    _add_loops(container)
    _add_http(container)
    container.metrics().add_figures(_fleet_figures(container), help_texts=_FIGURES)
    parts: Parts = container.parts()
    return parts


def ingest_alone(
    container: CoordinatorContainer, *, index: int, workers: int, metrics_port: int | None = None
) -> Parts:
    """One worker; its broker runs elsewhere.

    Its figures are answered on loopback at ``metrics_port``, without a login: they count messages,
    and name neither a box nor a place.
    """
    write = container.security_events().write
    noted = Loop("security-events", write, every_s=_EVENTS_S, metrics=container.metrics())
    container.parts().add("security-events", noted)
    _add_ingest(container, [index], workers)
    parts: Parts = container.parts()
    if metrics_port is not None:
        address = HttpAddress(name="metrics", host="127.0.0.1", port=metrics_port)
        parts.add("metrics", HttpServer(container.metrics().application(), address))
    return parts


def _add_loops(container: CoordinatorContainer) -> None:
    parts, metrics = container.parts(), container.metrics()
    quality = QualityWatch(container.database(), container.settings().tenant.id, container.clock())

    def keep() -> None:
        keep_house(container.database(), kept(container.settings()), now=container.clock().now())

    for name, action, every_s in (
        ("revocations", container.revocations().publish, _REVOCATIONS_S),
        ("twins", container.twins().send_due, _TWINS_S),
        ("releases", partial(keep_releases, container.registry(), container.releases()), _KEYS_S),
        ("rollouts", container.rollout_driver().tick, _ROLLOUTS_S),
        ("plates", container.plates().send_due, _TWINS_S),
        ("keys", container.ring().turn, _KEYS_S),
        ("rollups", partial(sum_everything_due, container.database()), _ROLLUPS_S),
        ("housekeeping", keep, _HOUSE_S),
        ("audit", container.checkpoints().sign_due, _AUDIT_S),
        ("security-events", container.security_events().write, _EVENTS_S),
        ("threats", container.threats().look, _THREATS_S),
        ("quality", quality.run_once, _QUALITY_S),
    ):
        parts.add(name, Loop(name, action, every_s=every_s, metrics=metrics))

    webhook = container.alert_webhook()
    if webhook is not None:
        told = Loop("alert-webhook", webhook.send_due, every_s=_WEBHOOK_S, metrics=metrics)
        parts.add("alert-webhook", told)
    metrics.add_alerts(_alert_figures(container))


def _add_ingest(container: CoordinatorContainer, indexes: Sequence[int], workers: int) -> None:
    made = [ingest_part(container, index=index, workers=workers) for index in indexes]
    for index, part in zip(indexes, made, strict=True):
        container.parts().add(f"ingest-{index}", part, condition=part.condition)
    container.metrics().add_ingest(lambda: _sums(made))


def _add_http(container: CoordinatorContainer) -> None:
    settings, parts = container.settings(), container.parts()
    devices = settings.devices
    certificate_file, key_file = container.certificates().server("devices", devices.names)
    listener = HttpServer(
        create_device_app(container),
        HttpAddress(
            name="devices",
            host=devices.host,
            port=devices.port,
            certificate_file=certificate_file,
            key_file=key_file,
        ),
    )
    tls = settings.api.tls
    address = HttpAddress(
        name="api",
        host=settings.api.host,
        port=settings.api.port,
        certificate_file=tls.certificate_file if tls else None,
        key_file=tls.key_file if tls else None,
        behind_proxy=settings.api.behind_proxy,
    )
    api = HttpServer(create_app(container), address)
    parts.add("devices", listener)
    parts.add("api", api)

    def renew() -> None:
        container.certificates().server("devices", devices.names)
        listener.reload_certificate()
        api.reload_certificate()
        if container.runs_broker():
            container.certificates().server("broker", settings.broker.certificate_names)
            container.embedded().reload_certificate()
        elif settings.broker.kind == "external":
            container.broker_files().refresh()

    parts.add(
        "certificates", Loop("certificates", renew, every_s=_KEYS_S, metrics=container.metrics())
    )


def _sums(parts: Sequence[IngestPart]) -> dict[str, float]:
    """Counters of all workers of this process together."""
    sums: dict[str, float] = {}
    for part in parts:
        for name, value in part.metrics.figures().items():
            sums[name] = sums.get(name, 0.0) + value
    return sums


class _FleetFigures:
    def __init__(self, container: CoordinatorContainer) -> None:
        self._container = container

    def __call__(self) -> Mapping[str, float]:
        figures: dict[str, float] = {}
        # A key folder that cannot be read is told where it is needed; the other figures go on.
        with suppress(ConfigError):
            left = self._container.authority().ends_at - self._container.clock().now()
            figures["issuing_certificate_days"] = left / timedelta(days=1)
        if self._container.runs_broker():
            figures["broker_connections"] = self._container.embedded().connections
        try:
            counts = self._container.fleet().counts()
        except UnreachableError:
            return figures  # the readiness of this process says so already
        for state in ("enrolled", "replaced", "retired"):
            figures[f"devices_{state}"] = counts.get(state, 0)
        return figures


def _alert_figures(
    container: CoordinatorContainer,
) -> Callable[[], Mapping[Severity, int] | None]:
    def read() -> Mapping[Severity, int] | None:
        try:
            counts: Mapping[Severity, int] = container.threats().open_alerts()
        except UnreachableError:
            return None  # the readiness of this process says so already
        return counts

    return read


def _fleet_figures(container: CoordinatorContainer) -> _FleetFigures:
    return _FleetFigures(container)
