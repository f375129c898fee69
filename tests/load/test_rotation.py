"""Keys and certificates change while reports are in flight, and a box is thrown out."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pytest
from sqlalchemy import text

from common.encryption import EncryptionManager, UnsealedHeader
from common.errors import UnreachableError
from common.messages import HealthReport
from common.private_files import write_private
from common.topics import Topic, Way
from common.wire import ClockState, Kind
from coordinator.broker.brief_client import BriefClient
from coordinator.container import CoordinatorContainer
from coordinator.fleet.keyring import KeyUse
from tests.fakes.mosquitto_broker import require_mosquitto
from tests.fakes.postgres_server import find_binaries
from tests.fakes.sending_box import eventually
from tests.load.eavesdropper import Eavesdropper
from tests.load.installation import Installation, Store
from tests.load.sending_fleet import SteadyBox, steady_boxes

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(280)]

BOXES = 20
RETIRED_WITHIN_S = 10.0
NOTICED_WITHIN_S = 90.0
"""A sender looks for other keys once a minute."""

_COUNTS = text(
    "SELECT traffic_count.start, traffic_count.car FROM traffic_count "
    "JOIN series ON series.id = traffic_count.series_id "
    "JOIN camera ON camera.id = series.camera_id JOIN site ON site.id = camera.site_id "
    "WHERE site.slug = :site ORDER BY traffic_count.start"
)
_REFUSED = text(
    "SELECT COALESCE(SUM(messages), 0) FROM quarantine_count "
    "WHERE device_id = :device AND reason = 'retired'"
)
_OTHERS_REFUSED = text(
    "SELECT device_id, reason FROM quarantine_count "
    "WHERE device_id <> :device AND reason <> 'unknown_key'"
)


@dataclass(frozen=True, slots=True)
class Town:
    """Everything that runs."""

    installation: Installation
    container: CoordinatorContainer
    boxes: list[SteadyBox]
    heard: Eavesdropper

    def opening_key(self) -> str:
        """Id of the key in effect."""
        return self.container.ring().in_effect(KeyUse.OPENING).id

    def rotate(self, *use: str) -> None:
        """As an operator does."""
        self.installation.command("fleet", "keys", "rotate", *use)

    def stored(self, box: SteadyBox) -> list[tuple[datetime, int]]:
        """Minutes and cars in the database, repetitions included."""
        with self.container.database().session() as session:
            rows = session.connection().execute(_COUNTS, {"site": box.site}).all()
        return [(_moment(start), cars) for start, cars in rows]

    def refused(self, box: SteadyBox) -> int:
        """How many messages of a box ingest refused because it is retired."""
        with self.container.database().session() as session:
            return int(session.connection().execute(_REFUSED, {"device": box.device}).scalar_one())

    def refused_of_others(self, box: SteadyBox) -> list[tuple[str, str]]:
        """What was refused for a reason that sending again does not lift."""
        with self.container.database().session() as session:
            rows = session.connection().execute(_OTHERS_REFUSED, {"device": box.device}).all()
        return [(device, reason) for device, reason in rows]


@pytest.fixture(params=["postgresql", "sqlite"], ids=["PostgreSQL", "SQLite"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    store: Store = request.param
    require_mosquitto()
    if store == "postgresql":
        _require_postgresql()
    with Installation(store) as installation:
        container = installation.container()
        # Two processes, or one: both must notice keys that a third one changed.
        for part in ("api", "ingest") if store == "postgresql" else ("serve",):
            installation.start_part(part)
        with (
            steady_boxes(container, tmp_path, boxes=BOXES) as boxes,
            Eavesdropper(container) as heard,
        ):
            yield Town(installation, container, boxes, heard)


def test_keys_change_and_a_box_leaves_while_reports_travel(town: Town) -> None:
    *staying, leaving = town.boxes
    first, second, others = staying[:5], staying[5:10], staying[10:]
    old_signing = {(box.device, box.identity.signing.key_id) for box in staying}
    assert eventually(lambda: all(town.stored(box) for box in town.boxes))

    keys = [town.opening_key(), *_rotations(town, first, second)]
    began_s = perf_counter()
    town.installation.command("fleet", "retire", leaving.device, "--reason", "stolen")
    _tell("retire_command_s", round(perf_counter() - began_s, 2))
    is_refused = eventually(lambda: _ingest_refuses(town, leaving), within_s=RETIRED_WITHIN_S)
    is_shut_out = eventually(lambda: _is_shut_out(leaving), within_s=RETIRED_WITHIN_S)
    _tell("refused_and_shut_out_s", round(perf_counter() - began_s, 2))
    heard_of_it, stored_of_it = town.heard.minutes[leaving.device], len(town.stored(leaving))
    are_noticed = eventually(
        lambda: _are_in_use(town, keys, first, second), within_s=NOTICED_WITHIN_S
    )
    _tell("keys_noticed_s", round(perf_counter() - began_s, 2))
    for box in town.boxes:
        box.measure_no_more()
    are_done = eventually(lambda: all(box.has_told_everything() for box in staying))
    _tell("minutes_of_staying_boxes", sum(len(box.told) for box in staying))

    assert len(set(keys)) == 3
    # Ingest refuses it by itself, the broker lets it in no more, and its session is over.
    assert is_refused
    assert is_shut_out
    assert not leaving.has_told_everything()
    assert town.heard.minutes[leaving.device] == heard_of_it
    assert len(town.stored(leaving)) == stored_of_it
    # Both generations of every key were used, and those that did not renew sealed to the first.
    assert are_noticed
    assert old_signing <= town.heard.signed_by
    assert {(box.device, keys[0]) for box in staying} <= town.heard.sealed_to
    assert not {(box.device, key) for box in others for key in keys[1:]} & town.heard.sealed_to
    # Nothing is lost and nothing is there twice.
    assert are_done, [str(error) for box in staying for error in box.errors]
    assert [town.stored(box) for box in staying] == [sorted(b.told.items()) for b in staying]
    assert set(town.stored(leaving)) <= set(leaving.told.items())
    assert len(town.stored(leaving)) == len(dict(town.stored(leaving)))
    assert town.refused_of_others(leaving) == []


def _tell(name: str, value: float) -> None:
    """Figures for whoever runs this with ``-s``; nothing is judged by them."""
    sys.stdout.write(f"{name}: {value}\n")


def _rotations(town: Town, first: list[SteadyBox], second: list[SteadyBox]) -> Iterator[str]:
    """Opening keys twice, the order key once; each time some boxes renew at once."""
    for use, boxes in ((("--use", "opening"), first), ((), second)):
        town.rotate(*use)
        yield town.opening_key()
        for box in boxes:
            box.renew()


def _are_in_use(
    town: Town, keys: list[str], first: list[SteadyBox], second: list[SteadyBox]
) -> bool:
    """True once those that renewed sign with their new key, and seal to the one of that time."""
    signing = {(box.device, box.identity.signing.key_id) for box in (*first, *second)}
    sealing = {(box.device, keys[1]) for box in first}
    sealing |= {(box.device, keys[2]) for box in second}
    return signing <= town.heard.signed_by and sealing <= town.heard.sealed_to


def _ingest_refuses(town: Town, box: SteadyBox) -> bool:
    """Bring a report of the box past the broker, by a certificate that is not revoked."""
    with tempfile.TemporaryDirectory() as scratch:
        pair = town.container.authority().client(box.device, hours=0.1)
        certificate, key = Path(scratch, "as.pem"), Path(scratch, "as.key")
        write_private(certificate, pair.chain_pem)
        write_private(key, pair.key_pem)
        login = replace(box.login(), certificate_file=certificate, key_file=key)
        # The box itself may connect in this moment: the broker then hangs up on one of the two.
        with contextlib.suppress(UnreachableError), BriefClient(login) as client:
            client.publish(str(Topic(box.device, Way.UP, Kind.HEALTH)), _health(box))
    return town.refused(box) > 0


def _health(box: SteadyBox) -> bytes:
    identity, now = box.identity, datetime.now(UTC)
    report = HealthReport(
        at=now,
        software="0.1.0",
        model="made up",
        clock=ClockState.TRUSTED,
        uptime_s=1,
        outbox_reports=0,
        outbox_bytes=0,
        disk_free_bytes=1,
    )
    header = UnsealedHeader(
        device=box.device, kind=Kind.HEALTH, epoch=1, sequence=int(now.timestamp()), created_at=now
    )
    manager = EncryptionManager(signing=identity.signing, sealing=identity.sealing_key(now))
    return manager.seal(header, report.model_dump_json().encode())


def _is_shut_out(box: SteadyBox) -> bool:
    try:
        with BriefClient(box.login()):
            return False
    except UnreachableError:
        return True


def _moment(start: datetime | str) -> datetime:
    found = datetime.fromisoformat(start) if isinstance(start, str) else start
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _require_postgresql() -> None:
    if find_binaries() is None:
        missing = "PostgreSQL's initdb and postgres are not installed"
        if os.environ.get("ITS_REQUIRE_SYSTEM") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
