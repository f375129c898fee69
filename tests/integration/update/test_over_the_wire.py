"""An order through a real broker → a box that says at once how far it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.encryption import sign_order
from common.messages import HealthReport
from common.orders import DesiredConfiguration
from common.release import reasons
from common.release_state import ReleaseState, SlotName, Step
from common.wire import Kind
from edge.enrol.identity import Identity
from tests.fakes.acknowledging_coordinator import AcknowledgingCoordinator
from tests.fakes.enrolment_coordinator import enrolment_coordinator
from tests.fakes.release_repository import serving, tiny_repository
from tests.fakes.releasing_box import ReleasingBox
from tests.fakes.white_cell_onnx import BUS
from tests.integration.deliver.test_agent_delivers import broker_with_tls
from tests.integration.update.conftest import Town

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@dataclass
class Wired(Town):
    """A town whose box hears its coordinator."""

    coordinator: AcknowledgingCoordinator

    def order(self, order: DesiredConfiguration) -> None:
        data = sign_order(self.coordinator.order_key, order.model_dump_json().encode())
        self.coordinator.tell(self.box.device, Kind.TWIN, data)

    def told(self) -> list[ReleaseState]:
        """What health reports said of releases, in order."""
        reports = self.coordinator.ledger.of(HealthReport)
        return [report.release for report in reports if report.release is not None]

    def newest(self) -> ReleaseState | None:
        told = self.told()
        return told[-1] if told else None


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    repository = tiny_repository(tmp_path / "repository")
    folder = tmp_path / "box"
    folder.mkdir()
    with (
        serving(repository.folder) as server,
        enrolment_coordinator() as enrolment,
        broker_with_tls(enrolment) as (broker, tls_port),
    ):
        address = {"host": "127.0.0.1", "port": tls_port, "protocol": "5"}
        enrolment.changes = {"broker": address, "release_root": repository.root.decode()}
        box = ReleasingBox.enrolled(folder, enrolment, url=server.url)
        identity = Identity.load(folder / "data" / "identity")
        coordinator = AcknowledgingCoordinator(
            broker.port,
            device_key=identity.signing.public,
            order_key=enrolment.orders,
            opening=enrolment.opening,
        )
        with coordinator:
            try:
                yield Wired(tmp_path, repository, server, enrolment, box, coordinator)
            finally:
                box.end()


def test_a_release_is_ordered_waits_for_its_files_and_is_told_as_it_goes(wired: Wired) -> None:
    wired.publish("1.1.0")
    wired.publish("1.2.0", sees=BUS)
    wired.server.misdeed = lambda _path, _honest: None
    box = wired.box
    box.start()
    box.until(lambda: wired.newest() is not None)
    first = wired.newest()

    wired.order(box.order("1.1.0"))
    box.until(lambda: (state := wired.newest()) and state.step is Step.FETCHING)
    box.until(lambda: box.record.reason == reasons.UNREACHABLE)
    wired.server.misdeed = None
    box.until(lambda: (state := wired.newest()) and state.step is Step.CONFIRMED)
    good = wired.newest()
    wired.order(box.order("1.2.0"))
    box.until(lambda: (state := wired.newest()) and state.step is Step.REFUSED)
    bad = wired.newest()

    assert first is not None
    assert good is not None
    assert bad is not None
    assert (first.slot, first.active_version, first.step) == (SlotName.FACTORY, "1.0.0", Step.IDLE)
    assert (good.slot, good.active_version, good.wanted_version) == (SlotName.A, "1.1.0", "1.1.0")
    assert (bad.active_version, bad.wanted_version, bad.reason) == ("1.1.0", "1.2.0", "low_f1")
    steps = [state.step for state in wired.told()]
    assert {Step.FETCHING, Step.WATCHING, Step.CONFIRMED, Step.REFUSED} <= set(steps)
    newest = wired.coordinator.ledger.of(HealthReport)[-1]
    assert (newest.twin_version, newest.twin_state) == (2, "applied")
    assert box.stop() == 0
