"""Settings → Flower's SuperLink on loopback with what belongs to it, kept alive.

Three processes: the hub that hands out the signed bundle, the SuperLink itself (TLS by our own
certificate, node keys, its state on disk), and the SuperExec that starts server apps. They are
sessions of their own: a coordinator that was killed finds them again and goes on.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from common.errors import ItsError
from common.flower_processes import (
    HUB_PREFIX,
    LinkPlace,
    connection_file,
    flower_environment,
    superexec_command,
    superlink_command,
)
from common.private_files import create_private, make_private_folder, write_private
from coordinator.config import CoordinatorConfig, FederationSettings
from coordinator.federation.nodes import NodeRegistry
from coordinator.federation.processes import ProcessOrder
from coordinator.federation.proxy import LINK_HOST, LINK_NAME
from coordinator.federation.supervision import Supervision
from coordinator.fleet.own_certificates import OwnCertificates

log = structlog.get_logger(__name__)

SUPERLINK, SUPEREXEC, HUB = "superlink", "superexec", "hub"

_LOOK_S = 1.0
_NODES_EVERY = 3
_ANSWER_S = 2.0
_STOP_S = 30.0


class FlowerPlace:
    """Files, addresses and orders of one coordinator's Flower processes."""

    def __init__(
        self,
        settings: CoordinatorConfig,
        federation: FederationSettings,
        certificates: OwnCertificates,
    ) -> None:
        """Prepare; no file is written yet."""
        self._certificates = certificates
        self._federation = federation
        self.folder = settings.federation_folder / "flower"
        self._bundle = federation.bundle or settings.federation_folder / "bundle"
        self._runs = settings.federation_folder / "runs"

    def link(self) -> LinkPlace:
        """Where the SuperLink listens; its certificate is made, or made again before it ends.

        Raises:
            ConfigError: There is no CA yet, or the folder cannot be used.
            UnreachableError: A folder cannot be written.
        """
        make_private_folder(self.folder.parent)
        make_private_folder(self.folder)
        secret = self.folder / "superexec.secret"
        if not secret.exists():
            create_private(secret, secrets.token_bytes(32))
        certificate, key = self._certificates.server(SUPERLINK, (LINK_HOST, LINK_NAME))
        return LinkPlace(
            host=LINK_HOST,
            port=self._federation.port,
            certificate=certificate,
            key=key,
            authority=self._certificates.trust_file,
            database=self.folder / "superlink.sqlite",
            task_secret=secret,
        )

    def operator_environment(self) -> dict[str, str]:
        """For the ``flwr`` commands: their home says where the SuperLink is."""
        home = self._home("operator")
        content = connection_file(self.link()).encode()
        file = home / "config.toml"
        if not file.exists() or file.read_bytes() != content:
            write_private(file, content)
        return flower_environment(os.environ, home=home)

    def hub_order(self) -> ProcessOrder:
        """Hands out the signed bundle; it has no key."""
        port = str(self._federation.hub_port)
        command = (sys.executable, "-m", "common.cli", "ml", "bundle", "serve")
        make_private_folder(self.folder)
        return ProcessOrder(
            name=HUB,
            command=(*command, "--folder", str(self._bundle), "--port", port),
            environment=os.environ,
            folder=self.folder,
        )

    def link_order(self) -> ProcessOrder:
        """The SuperLink, which reads its certificate only when it starts."""
        place = self.link()
        hub = f"http://{LINK_HOST}:{self._federation.hub_port}{HUB_PREFIX}"
        return ProcessOrder(
            name=SUPERLINK,
            command=tuple(superlink_command(place)),
            environment=flower_environment(os.environ, home=self._home(SUPERLINK), hub_url=hub),
            folder=self.folder,
            stamp=hashlib.sha256(place.certificate.read_bytes()).hexdigest(),
        )

    def exec_order(self) -> ProcessOrder:
        """The SuperExec, which knows where the run folders are."""
        environment = flower_environment(os.environ, home=self._home(SUPEREXEC), runs=self._runs)
        return ProcessOrder(
            name=SUPEREXEC,
            command=tuple(superexec_command(self.link())),
            environment=environment,
            folder=self.folder,
        )

    def answers(self) -> bool:
        """True when somebody listens at the SuperLink's port."""
        try:
            with socket.create_connection((LINK_HOST, self._federation.port), _ANSWER_S):
                return True
        except OSError:
            return False

    def _home(self, name: str) -> Path:
        home = self.folder / "homes" / name
        make_private_folder(home)
        return home


class FlowerPart:
    """Runs the processes and keeps the nodes in line, in a thread of this process."""

    def __init__(
        self,
        supervision: Supervision,
        registry: NodeRegistry,
        *,
        answers: Callable[[], bool],
        is_idle: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            supervision: Hub, SuperLink and SuperExec.
            registry: Brought into line while the SuperLink answers.
            answers: Whether it does.
            is_idle: Whether a restart would disturb nobody.
        """
        self._supervision = supervision
        self._registry = registry
        self._answers = answers
        self._is_idle = is_idle
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""

    @property
    def is_alive(self) -> bool:
        """True while it looks after the processes."""
        return self._thread is not None and self._thread.is_alive()

    def condition(self) -> str:
        """``ok``, or what is missing."""
        if missing := self._supervision.missing():
            return f"{', '.join(missing)} not running{': ' if self._trouble else ''}{self._trouble}"
        return "ok" if self._answers() else "superlink does not answer yet"

    def start(self) -> None:
        """Begin; the processes come up within seconds."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="flower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the processes; safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)
        self._supervision.stop()

    def _run(self) -> None:
        looks = 0
        while not self._stop.wait(_LOOK_S if looks else 0):
            looks += 1
            try:
                started = self._supervision.look(may_restart=self._is_idle())
                if SUPERLINK in started:
                    self._registry.compare_soon()
                if looks % _NODES_EVERY == 0 and self._answers():
                    self._registry.bring_into_line()
                self._trouble = ""
            except ItsError as error:
                # Once, not every second of a night.
                if str(error) != self._trouble:
                    log.warning("flower_delayed", reason=str(error), hint=error.hint)
                self._trouble = str(error)
