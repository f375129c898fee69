"""The agent as a process, enrolled, behind a broker that asks for its certificate."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.certificates import issue_server
from common.encryption import sign_order
from common.free_ports import free_port
from common.messages import BinReport, HealthReport, SectionLayout, SiteReport
from common.orders import DesiredCamera, DesiredConfiguration
from common.site import Use
from common.timing import SystemClock
from common.wire import Kind
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from tests.conftest import REPOSITORY
from tests.fakes.acknowledging_coordinator import AcknowledgingCoordinator
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator, enrolment_coordinator
from tests.fakes.mosquitto_broker import MosquittoBroker, plain_folder
from tests.fakes.sending_box import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SOURCE = "simulate:road?seed=5&size=160x90&fps=5&noise=2&shadows=0&vehicles=2&pace=1"


@contextmanager
def broker_with_tls(enrolment: EnrolmentCoordinator) -> Iterator[tuple[MosquittoBroker, int]]:
    """A plain listener for the fake coordinator, and one that takes certified boxes alone."""
    tls_port = free_port()
    folder = plain_folder(
        f"listener {tls_port} 127.0.0.1", "allow_anonymous true", "require_certificate true",
        "tls_version tlsv1.3", "cafile CA", "certfile CERT", "keyfile KEY",
    )  # fmt: skip
    chain, key = issue_server(
        enrolment.issuing,
        names=["localhost"],
        ips=[IPv4Address("127.0.0.1")],
        now=datetime.now(UTC),
        days=1,
    )
    trust = enrolment.root.certificate_pem + enrolment.issuing.certificate_pem
    config = (folder / "mosquitto.conf").read_text()
    for name, content in (("CA", trust), ("CERT", chain), ("KEY", key)):
        (folder / name).write_bytes(content)
        config = config.replace(f"file {name}", f"file {folder / name}")
    (folder / "mosquitto.conf").write_text(config)
    with MosquittoBroker(folder) as broker:
        yield broker, tls_port


@dataclass(frozen=True)
class Enrolled:
    """A box that is enrolled and does not run yet, and the other end of its wire."""

    folder: Path
    coordinator: AcknowledgingCoordinator
    device: str

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.agent_process", str(self.folder / "edge.yaml")],
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def order(self, order: DesiredConfiguration) -> None:
        data = sign_order(self.coordinator.order_key, order.model_dump_json().encode())
        self.coordinator.tell(self.device, Kind.TWIN, data)


@pytest.fixture
def enrolled(tmp_path: Path) -> Iterator[Enrolled]:
    camera = scene_camera(parse_source(SOURCE), camera_id="north", source=SOURCE)
    site = {
        "site": "harbour",
        "cameras": [camera.model_dump(mode="json", by_alias=True, exclude_none=True)],
    }
    edge: dict[str, Any] = {
        "site_file": "site.yaml",
        "data_folder": "data",
        "health": {"every_s": 0.5},
        "coordinator": {"clock_is_right": True, "twin_trial_minutes": 0.1, "resend_after_s": 1},
    }
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site))
    (tmp_path / "edge.yaml").write_text(yaml.safe_dump(edge))
    with enrolment_coordinator() as enrolment, broker_with_tls(enrolment) as (broker, tls_port):
        enrolment.changes = {"broker": {"host": "127.0.0.1", "port": tls_port, "protocol": "5"}}
        identity = enrol(
            CoordinatorClient(enrolment.url),
            enrolment.token,
            tmp_path / "data" / "identity",
            clock=SystemClock(),
        )
        coordinator = AcknowledgingCoordinator(
            broker.port,
            device_key=identity.signing.public,
            order_key=enrolment.orders,
            opening=enrolment.opening,
        )
        with coordinator:
            yield Enrolled(tmp_path, coordinator, identity.device)


def test_a_minute_is_delivered_and_an_order_moves_a_line_without_a_new_process(
    enrolled: Enrolled,
) -> None:
    ledger = enrolled.coordinator.ledger
    process = enrolled.start()
    try:
        assert eventually(lambda: ledger.of(BinReport) != [], within_s=120)
        (before,) = ledger.of(SiteReport)[0].cameras
        section = before.sections[0]
        moved = SectionLayout(
            name=section.name,
            use=Use.TRAFFIC,
            points_px=tuple((x, y + 1) for x, y in section.points_px),
        )
        desired = DesiredCamera(camera="north", sections=(moved,))
        enrolled.order(
            DesiredConfiguration(
                device=enrolled.device, version=1, at=datetime.now(UTC), cameras=(desired,)
            )
        )
        assert eventually(lambda: ledger.of(HealthReport)[-1].twin_version == 1, within_s=120)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 0, stderr
    (after,) = ledger.of(SiteReport)[-1].cameras
    assert after.sections == (moved,)
    assert ledger.of(HealthReport)[-1].twin_state == "applied"
    assert ledger.of(HealthReport)[-1].certificate_expires_at is not None
    assert ledger.reused == []
    assert set(ledger.taken.values()) == {1}


def test_a_box_that_is_not_enrolled_counts_on_and_says_what_to_do(enrolled: Enrolled) -> None:
    (enrolled.folder / "data" / "identity" / "device.json").unlink()
    process = enrolled.start()
    health = enrolled.folder / "data" / "health.json"
    try:
        assert eventually(
            lambda: health.exists() and '"state": "running"' in health.read_text(), within_s=60
        )
    finally:
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 0, stderr
    assert "edge enroll" in stdout
