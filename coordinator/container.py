"""Settings → the concrete objects of one coordinator process; nobody else chooses a class."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from dependency_injector import containers, providers

from common.encryption import VerifyingKey
from common.enrolment import BrokerAddress, LearningAddress, from_base64
from common.errors import ConfigError
from common.timing import Clock, SystemClock
from coordinator.broker.access import ORDERS_NAME
from coordinator.broker.brief_client import BrokerLogin
from coordinator.config import CoordinatorConfig
from coordinator.database import Database
from coordinator.federation.manager import DistributedTrainingManager
from coordinator.federation.run_folder import RunFolders
from coordinator.fleet.attempts import FailedAttempts
from coordinator.fleet.authority import Authority
from coordinator.fleet.broker_files import BrokerFiles
from coordinator.fleet.broker_listeners import (
    BriefSender,
    ElsewhereListener,
    EmbeddedListener,
    ExternalListener,
    HowToTell,
)
from coordinator.fleet.enrolment import Enrolment, Trusted
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.keyring import KeyRing
from coordinator.fleet.own_certificates import OwnCertificates
from coordinator.fleet.revocations import ListFile, RevocationListener, Revocations
from coordinator.fleet.tokens import Tokens
from coordinator.fleet.twins import Twins
from coordinator.metrics import Metrics
from coordinator.parts import Parts
from coordinator.plates.service import Plates
from coordinator.registry.container import ModelsContainer
from coordinator.registry.releases import Releases
from coordinator.rollouts.driving import RolloutDriver
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.checkpoints import Checkpoints
from coordinator.security.container import PeopleContainer
from coordinator.security.threats.container import WatchContainer

if TYPE_CHECKING:
    from coordinator.broker.embedded import EmbeddedBroker


def open_database(settings: CoordinatorConfig) -> Database:
    """The database of the settings; nothing is contacted yet."""
    return Database(settings.database_url)


def open_authority(settings: CoordinatorConfig, clock: Clock) -> Authority:
    """The CA in the keys folder."""
    trust = settings.trust
    return Authority(
        settings.keys_folder,
        clock=clock,
        device_hours=trust.device_hours,
        server_days=trust.server_days,
        crl_days=trust.crl_days,
    )


def open_key_ring(settings: CoordinatorConfig, clock: Clock) -> KeyRing:
    """Opening and order keys in the keys folder."""
    trust = settings.trust
    return KeyRing(
        settings.keys_folder,
        clock=clock,
        key_days=trust.key_days,
        old_key_days=trust.old_key_days,
    )


def open_certificates(
    settings: CoordinatorConfig, authority: Authority, clock: Clock
) -> OwnCertificates:
    """Certificates of our own listeners and clients."""
    return OwnCertificates(authority, folder=settings.keys_folder / "own", clock=clock)


def broker_login(
    settings: CoordinatorConfig, certificates: OwnCertificates, name: str = ORDERS_NAME
) -> BrokerLogin:
    """How to sign in to the broker as one of ``access.COORDINATORS``."""
    broker = settings.broker
    return certificates.login(
        name, host=broker.connect_host, port=broker.port, protocol=broker.protocol
    )


def open_embedded(settings: CoordinatorConfig, certificates: OwnCertificates) -> EmbeddedBroker:
    """The broker of this process; its certificate is made here.

    Raises:
        ConfigError: amqtt is not installed.
    """
    if find_spec("amqtt") is None:
        raise ConfigError(
            "broker.kind is embedded and amqtt is not installed, expected it beside us",
            hint="pip install --no-deps amqtt, or name a mosquitto with broker.kind: external",
        )
    from coordinator.broker.embedded import EmbeddedBroker, EmbeddedSettings  # noqa: PLC0415

    broker = settings.broker
    certificate_file, key_file = certificates.server("broker", broker.certificate_names)
    return EmbeddedBroker(
        EmbeddedSettings(
            host=broker.host,
            port=broker.port,
            trust_file=certificates.trust_file,
            certificate_file=certificate_file,
            key_file=key_file,
            most_connections=broker.most_connections,
            most_waiting=broker.most_waiting,
        )
    )


def choose_listener(container: CoordinatorContainer) -> RevocationListener:
    """Who acts on a new revocation list."""
    settings = container.settings()
    broker = settings.broker
    if broker.kind == "external":
        return ExternalListener(
            HowToTell(pid_file=broker.pid_file, command=broker.reload_command),
            login=container.orders_login,
            authority=container.authority(),
            scratch=settings.keys_folder,
        )
    if container.runs_broker():
        return EmbeddedListener(container.embedded())
    return ElsewhereListener()


def open_trusted(
    settings: CoordinatorConfig, authority: Authority, ring: KeyRing, releases: Releases
) -> Trusted:
    """What certificates and keys are made with."""
    broker = settings.broker
    address = BrokerAddress(
        host=broker.names[0], port=broker.public_port or broker.port, protocol=broker.protocol
    )
    return Trusted(
        authority=authority,
        ring=ring,
        broker=address,
        learning=learning_address(settings),
        release_root=releases.root,
    )


def learning_address(settings: CoordinatorConfig) -> LearningAddress | None:
    """Where boxes train with others; None where they cannot.

    Raises:
        TrustError: ``federation.release_key`` is no key.
    """
    federation = settings.federation
    if federation is None or federation.release_key is None:
        return None
    key = VerifyingKey.from_bytes(from_base64(federation.release_key))
    public = federation.public
    return LearningAddress(
        host=public.host if public else "127.0.0.1",
        port=public.port if public else federation.port,
        release_key=federation.release_key,
        release_key_id=key.key_id,
    )


def open_training(
    settings: CoordinatorConfig, database: Database, clock: Clock
) -> DistributedTrainingManager:
    """Federated runs; without a section of the settings they can be looked at alone."""
    return DistributedTrainingManager(
        database,
        RunFolders(settings.federation_folder / "runs"),
        settings=settings.federation,
        tenant=settings.tenant.id,
        clock=clock,
    )


class CoordinatorContainer(containers.DeclarativeContainer):
    """One coordinator process; threads share everything that is single here."""

    __self__ = providers.Self()
    settings = providers.Dependency(instance_of=CoordinatorConfig)
    runs_broker = providers.Object(False)
    clock = providers.ThreadSafeSingleton(SystemClock)
    stop = providers.ThreadSafeSingleton(threading.Event)
    metrics = providers.ThreadSafeSingleton(Metrics)
    parts = providers.ThreadSafeSingleton(Parts)
    attempts = providers.ThreadSafeSingleton(FailedAttempts, clock=clock)
    database = providers.ThreadSafeSingleton(open_database, settings)
    authority = providers.ThreadSafeSingleton(open_authority, settings, clock)
    ring = providers.ThreadSafeSingleton(open_key_ring, settings, clock)
    certificates = providers.ThreadSafeSingleton(open_certificates, settings, authority, clock)
    orders_login = providers.Callable(broker_login, settings, certificates)
    embedded = providers.ThreadSafeSingleton(open_embedded, settings, certificates)
    listener = providers.ThreadSafeSingleton(choose_listener, __self__)
    revocations = providers.ThreadSafeSingleton(
        Revocations,
        database,
        authority,
        listener,
        file=providers.Factory(
            ListFile,
            folder=settings.provided.broker_folder,
            group=settings.provided.broker.files_group,
        ),
        clock=clock,
    )
    broker_files = providers.ThreadSafeSingleton(
        BrokerFiles,
        settings=settings,
        authority=authority,
        certificates=certificates,
        revocations=revocations,
    )
    audit = providers.ThreadSafeSingleton(
        SecurityAuditLogger, tenant=settings.provided.tenant.id, clock=clock
    )
    checkpoints = providers.ThreadSafeSingleton(
        Checkpoints,
        database,
        keys_folder=settings.provided.keys_folder,
        file=settings.provided.audit_file,
        clock=clock,
    )
    _ours: ClassVar[dict[str, Any]] = {"tenant": settings.provided.tenant.id, "clock": clock}
    watch = providers.Container(
        WatchContainer,
        settings=settings,
        clock=clock,
        database=database,
        audit=audit,
        checkpoints=checkpoints,
    )
    security_events, audit_trail, alerts = watch.events, watch.trail, watch.alerts
    alert_webhook, threats = watch.webhook, watch.engine
    people = providers.Container(
        PeopleContainer, settings=settings, clock=clock, database=database, events=security_events
    )
    authenticator, access = people.authenticator, people.access
    tokens = providers.ThreadSafeSingleton(
        Tokens, database, authority, tenant=settings.provided.tenant.id, clock=clock
    )
    fleet = providers.ThreadSafeSingleton(
        Fleet, database, revocations, tenant=settings.provided.tenant.id, clock=clock
    )
    models = providers.Container(ModelsContainer, settings=settings, clock=clock, database=database)
    releases, registry, rollouts = models.releases, models.registry, models.rollouts
    trusted = providers.ThreadSafeSingleton(open_trusted, settings, authority, ring, releases)
    training = providers.ThreadSafeSingleton(open_training, settings, database, clock)
    enrolment = providers.ThreadSafeSingleton(
        Enrolment, database, trusted, tenant=settings.provided.tenant.id, clock=clock
    )
    sender = providers.ThreadSafeSingleton(BriefSender, orders_login.provider)
    plates = providers.ThreadSafeSingleton(
        Plates,
        database,
        tenant=settings.provided.tenant.id,
        clock=clock,
        signing=ring.provided.order_signing,
        sender=sender,
    )
    twins = providers.ThreadSafeSingleton(
        Twins,
        database,
        tenant=settings.provided.tenant.id,
        clock=clock,
        signing=ring.provided.order_signing,
        sender=sender,
    )
    rollout_driver = providers.ThreadSafeSingleton(RolloutDriver, database, twins, **_ours)


def coordinator_container(settings: CoordinatorConfig) -> CoordinatorContainer:
    """A container with its settings in place."""
    container = CoordinatorContainer()
    container.settings.override(settings)
    return container
