"""How many → boxes with keys and certificates of our CA, known to the coordinator's tables.

What an enrolment does for one box, by the same authority and store, for many in one
transaction; tokens and HTTPS are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from common.certificates import make_csr, new_tls_key, tls_key_to_pem
from coordinator.container import CoordinatorContainer
from coordinator.fleet.states import DeviceState
from coordinator.fleet.store import FleetStore
from coordinator.fleet.tables import CertificateRow, DeviceKeyRow, DeviceRow
from coordinator.ingest.simulated_boxes import SimulatedBox

_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class EnrolledBox:
    """A box, and the file with its certificate chain and TLS key."""

    box: SimulatedBox
    certificate_file: Path


@dataclass(slots=True)
class EnrolmentTimes:
    """Where the time of a bulk enrolment went, in seconds."""

    elapsed_s: float = 0.0
    processor_s: float = 0.0
    box_keys_s: float = 0.0
    certificates_s: float = 0.0


class BulkEnrolment:
    """Enrols boxes with one coordinator."""

    def __init__(self, container: CoordinatorContainer, folder: Path) -> None:
        """Certificates are written to ``folder``."""
        self.times = EnrolmentTimes()
        self._container = container
        self._folder = folder
        self._tenant = container.settings().tenant.id

    def enrol(self, devices: int) -> list[EnrolledBox]:
        """One box for each of as many sites."""
        self._folder.mkdir(mode=0o700)
        began_s, processor_s = perf_counter(), process_time()
        boxes: list[EnrolledBox] = []
        for first in range(0, devices, _TOGETHER):
            numbers = range(first, min(first + _TOGETHER, devices))
            with self._container.database().session() as session:
                boxes += self._enrol(FleetStore(session, self._tenant), numbers)
        self.times.elapsed_s = round(perf_counter() - began_s, 2)
        self.times.processor_s = round(process_time() - processor_s, 2)
        return boxes

    def _enrol(self, store: FleetStore, numbers: range) -> Iterator[EnrolledBox]:
        now = self._container.clock().now()
        (sealing, _), *_ = self._container.ring().sealing_offers()
        for number in numbers:
            site = store.ensure_site(f"site-{number:05d}", now=now, details={})
            assert site.id is not None
            began_s = perf_counter()
            box = SimulatedBox(number, tenant=self._tenant, site_id=site.id, sealing=sealing)
            self.times.box_keys_s += perf_counter() - began_s
            store.add_device(
                DeviceRow(
                    id=box.device,
                    tenant_id=self._tenant,
                    site_id=site.id,
                    state=DeviceState.ENROLLED.value,
                    enrolled_at=now,
                )
            )
            store.add_key(
                DeviceKeyRow(
                    key_id=box.signing.key_id,
                    device_id=box.device,
                    tenant_id=self._tenant,
                    public_key=box.signing.public.raw,
                    valid_from=now,
                )
            )
            yield EnrolledBox(box, self._certified(store, box.device))

    def _certified(self, store: FleetStore, device: str) -> Path:
        began_s = perf_counter()
        authority, key = self._container.authority(), new_tls_key()
        pem, certificate = authority.certify_device(make_csr(key, device), device)
        self.times.certificates_s += perf_counter() - began_s
        store.add_certificate(
            CertificateRow(
                serial=certificate.serial,
                device_id=device,
                tenant_id=self._tenant,
                issued_at=self._container.clock().now(),
                expires_at=certificate.expires_at,
            )
        )
        file = self._folder / f"{device}.pem"
        file.write_bytes(pem + authority.chain_pem + tls_key_to_pem(key))
        return file
