"""Signed deliveries → what boxes may fetch, kept fresh with the coordinator's two online keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import structlog

from common.enrolment import to_base64
from common.private_files import make_private_folder
from common.release.manifest import ReleaseManifest
from common.release.online import OnlineKeys, refresh_online
from common.release.receiving import Received, receive, root_text, signature_ends
from common.timing import Clock
from coordinator.database import Database
from coordinator.registry.stages import DeploymentStage
from coordinator.registry.store import Happened, ModelStore
from coordinator.registry.tables import ModelVersionRow
from coordinator.registry.views import Delivered, OnlineKeysView
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value

log = structlog.get_logger(__name__)

WARNED_DAYS = 30
"""So long before the offline signatures end, the log begins to say so."""


class Releases:
    """The repository of one coordinator; safe to share between threads and processes."""

    def __init__(
        self, database: Database, *, folder: Path, keys_folder: Path, tenant: str, clock: Clock
    ) -> None:
        """Hand out what lies in ``folder``; online keys are made in ``keys_folder``."""
        self.folder = folder
        self._database = database
        self._keys_folder = keys_folder
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def online_keys(self) -> OnlineKeysView:
        """Public halves for whoever makes the root."""
        keys = self._keys()
        return OnlineKeysView(
            snapshot=to_base64(keys.snapshot.public.raw),
            timestamp=to_base64(keys.timestamp.public.raw),
        )

    def root(self) -> str | None:
        """What a box is told to believe; None before the first delivery."""
        return root_text(self.folder)

    def receive(self, delivery: Path, *, by: str) -> Delivered:
        """Take a delivery in, hand it out, and mark the versions that it signs.

        Raises:
            ItsError: As ``common.release.receiving.receive``.
        """
        now = self._clock.now()
        received = receive(delivery, self.folder, self._keys(), now=now)
        self.refresh()
        with self._database.session() as session:
            store = ModelStore(session, self._tenant)
            delivered = self._marked(store, received, by)
            detail: dict[str, Value] = {
                "targets_version": received.targets_version,
                "versions": ", ".join(delivered.signed),
            }
            self._audit.record(session, Action.RELEASES_RECEIVED, subject="releases", detail=detail)
        log.info("releases_received", targets_version=received.targets_version)
        return delivered

    def refresh(self) -> bool:
        """Sign snapshot and timestamp again where that is due; nothing before a delivery.

        Returns:
            True when something was signed.
        """
        ends = signature_ends(self.folder)
        if not ends:
            return False
        now = self._clock.now()
        was_signed = refresh_online(self.folder, self._keys(), now=now)
        for name, expires in ends.items():
            if was_signed and expires - now < timedelta(days=WARNED_DAYS):
                log.warning(
                    "release_signature_ends",
                    role=name,
                    expires=expires.isoformat(),
                    hint="sign again with its-camera-ai ml keys, then registry receive",
                )
        return was_signed

    def _keys(self) -> OnlineKeys:
        make_private_folder(self._keys_folder)
        return OnlineKeys.open(self._keys_folder)

    def _marked(self, store: ModelStore, received: Received, by: str) -> Delivered:
        signed, unknown = [], []
        for digest, manifest in sorted(received.manifests.items(), key=lambda one: one[1].version):
            row = store.find(manifest.version)
            if row is None or not _are_the_weights(row, manifest):
                unknown.append(manifest.version)
                continue
            signed.append(manifest.version)
            if row.manifest_sha256 != digest:
                row.manifest_sha256, row.signed_at = digest, self._clock.now()
                store.tell(row, _signature(manifest, received.targets_version, by),
                           now=row.signed_at)  # fmt: skip
        return Delivered(targets_version=received.targets_version, signed=signed, unknown=unknown)


def _are_the_weights(row: ModelVersionRow, manifest: ReleaseManifest) -> bool:
    return (row.name, row.sha256) == (manifest.name, manifest.model.sha256)


def _signature(manifest: ReleaseManifest, targets_version: int, by: str) -> Happened:
    return Happened(
        kind="evidence",
        by=by,
        text="the offline keys signed a release with these weights and a calibration set",
        stage=DeploymentStage.CANARY,
        detail={
            "targets_version": targets_version,
            "calibration_sha256": manifest.calibration.sha256,
            "gate": manifest.gate.model_dump(),
        },
    )
