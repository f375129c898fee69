"""Learning keys of the fleet → nodes that the SuperLink believes, and no others.

Enrolment, renewal and retirement write the database alone, because the SuperLink may be away;
this brings Flower into line within seconds, and again when Flower lost what it knew.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from common.errors import UnreachableError
from common.private_files import make_private_folder
from common.timing import Clock
from coordinator.database import Database
from coordinator.federation.flower_control import FlowerControl
from coordinator.federation.nodes_store import NodeStore
from coordinator.fleet.reading_store import reading
from coordinator.fleet.tables import LearningKeyRow

log = structlog.get_logger(__name__)

_COMPARED_S = 600.0


class NodeRegistry:
    """Keeps Flower's nodes in line with the fleet; use from one thread."""

    def __init__(
        self, database: Database, control: FlowerControl, *, folder: Path, tenant: str, clock: Clock
    ) -> None:
        """Prepare.

        Args:
            database: Where the keys are.
            control: The SuperLink.
            folder: For public keys while Flower reads them.
            tenant: Whose boxes.
            clock: Says when to compare everything.
        """
        self._database = database
        self._control = control
        self._folder = folder
        self._tenant = tenant
        self._clock = clock
        self._compared_s: float | None = None

    def compare_soon(self) -> None:
        """The SuperLink was started: what it knows may be old."""
        self._compared_s = None

    def bring_into_line(self) -> None:
        """Register what is missing, unregister what has ended.

        Raises:
            UnreachableError: SuperLink or database are away; what was done is kept.
        """
        self._compare()
        with reading(self._database) as session:
            due = NodeStore(session, self._tenant).due()
        for key in due:
            if key.ended_at is None:
                self._register(key)
            else:
                self._unregister(key)

    def nodes(self) -> dict[str, str]:
        """Flower's node id → device."""
        with reading(self._database) as session:
            return NodeStore(session, self._tenant).nodes()

    def _compare(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._compared_s is not None and now_s - self._compared_s < _COMPARED_S:
            return
        known = self._control.nodes()
        with self._database.session() as session:
            NodeStore(session, self._tenant).forget_all_but(known)
        self._compared_s = now_s

    def _register(self, key: LearningKeyRow) -> None:
        make_private_folder(self._folder)
        file = self._folder / f"{key.digest}.pub"
        try:
            file.write_text(f"{key.public_key}\n", encoding="ascii")
        except OSError as error:
            raise UnreachableError(f"{file} cannot be written: {error.strerror}") from error
        try:
            node = self._control.register(file, device=key.device_id)
        finally:
            file.unlink(missing_ok=True)
        with self._database.session() as session:
            NodeStore(session, self._tenant).registered(key.digest, node, now=self._clock.now())
        log.info("node_registered", device=key.device_id, node=node)

    def _unregister(self, key: LearningKeyRow) -> None:
        if key.node_id is not None:
            self._control.unregister(key.node_id)
        with self._database.session() as session:
            NodeStore(session, self._tenant).unregistered(key.digest, now=self._clock.now())
        log.info("node_unregistered", device=key.device_id, node=key.node_id)
