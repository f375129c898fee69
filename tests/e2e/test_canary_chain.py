"""A face and a plate in front of a box's cameras: no byte that leaves holds them, or a count.

A real agent counts a clip with both in every frame. All that it hands to MQTT, the opened
reports, its files, the broker's files, the logs of every process and the database are
searched. Then the same things are put into each of these places, and the same search fails.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from tests.canary.canary_town import CAMERAS, NOTABLE_COUNT, CanaryTown
from tests.canary.evidence import (
    KINDS,
    Evidence,
    assert_nothing_left,
    everything_that_left,
    places_of,
    traces,
)
from tests.canary.leaks import publish_pictures, write_pictures_elsewhere
from tests.canary.silent_listener import subscribe_and_leave
from tests.fakes.canary import Canary
from tests.fakes.mosquitto_broker import require_mosquitto
from tests.fakes.postgres_server import find_binaries
from tests.fakes.sending_box import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

COUNT = str(NOTABLE_COUNT).encode()
COUNT_SPELLINGS = re.compile(rb"(?<![0-9A-Za-z.+/=-])%s(?![0-9A-Za-z.+/=-])" % COUNT)


@dataclass(frozen=True)
class Run:
    """What was there at three moments.

    Attributes:
        waiting: Everything counted and sent, nothing acknowledged.
        stored: Counted a second time, everything acknowledged and stored.
    """

    town: CanaryTown
    waiting: Evidence
    stored: Evidence


@pytest.fixture(scope="module")
def canary() -> Canary:
    return Canary()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    require_mosquitto()
    if request.param == "postgresql" and find_binaries() is None:
        missing = "PostgreSQL's initdb and postgres are not installed"
        if os.environ.get("ITS_REQUIRE_SYSTEM") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with CanaryTown(request.param) as town:
        subscribe_and_leave(town)
        town.count_once()
        town.save_broker()
        waiting = everything_that_left(town)
        town.start_ingest()
        town.count_once()
        assert eventually(lambda: stored_counts(town) >= NOTABLE_COUNT)
        town.save_broker()
        yield Run(town, waiting, everything_that_left(town))


def stored_counts(town: CanaryTown) -> int:
    return number(town, "SELECT coalesce(sum(car), 0) FROM traffic_count")


def number(town: CanaryTown, query: str) -> int:
    with closing(town.database()) as database, database.session() as session:
        return int(session.connection().execute(text(query)).scalar_one())


def test_the_canary_was_seen_counted_and_told(run: Run) -> None:
    seen = (run.town.notes / "seen").read_text().splitlines()
    opened = places_of(run.stored, "opened")

    for camera in CAMERAS:
        looks = [line for line in seen if line.startswith(f"{camera}: ")]
        assert len(looks) >= 5
        assert all("pixels of the face" in line and "of the plate" in line for line in looks)
        assert b'"camera":"%s"' % camera.encode() in opened
    assert b'"incident":"stopped_vehicle"' in opened
    assert b'"bins":[' in places_of(run.waiting, "outbox opened")
    assert stored_counts(run.town) >= NOTABLE_COUNT + 10


def test_the_box_speaks_to_its_broker_and_to_nobody_else(run: Run) -> None:
    addresses = set((run.town.notes / "addresses").read_text().split("\n")) - {""}

    assert addresses == {f"socket.connect ('127.0.0.1', {run.town.boxes_port})"}
    assert len(run.town.recorder.published()) > 10


@pytest.mark.parametrize("moment", ["waiting", "stored"])
def test_no_byte_that_left_holds_face_or_plate(run: Run, moment: str, canary: Canary) -> None:
    evidence: Evidence = getattr(run, moment)
    sizes = {place: len(data) for place, data in evidence.items()}

    assert sum(sizes.values()) > 300_000
    assert_nothing_left(evidence, canary)


def test_no_count_can_be_read_on_the_wire_or_at_the_broker(run: Run) -> None:
    kept = places_of(run.stored, "broker")
    published = [payload for _, payload in run.town.recorder.published()]

    # The broker's disk does hold the reports; opened, one holds the count, and so does the store.
    assert sum(payload[-200:] in kept for payload in published) > 5
    assert COUNT_SPELLINGS.search(places_of(run.stored, "opened"))
    assert COUNT_SPELLINGS.search(places_of(run.waiting, "outbox opened"))
    assert COUNT_SPELLINGS.search(run.stored["database: rows"])
    for kind in ("wire", "broker", "outbox", "log"):
        assert not COUNT_SPELLINGS.search(places_of(run.waiting, kind)), kind
        assert not COUNT_SPELLINGS.search(places_of(run.stored, kind)), kind


@dataclass(frozen=True)
class Leaked:
    """What was there after somebody put the canary into places, on purpose.

    Attributes:
        sent: After the box itself had published pictures, as they are and sealed.
        written: After they had been written into files, logs and the database.
    """

    sent: Evidence
    written: Evidence


@pytest.fixture(scope="module")
def leaked(run: Run, canary: Canary) -> Leaked:
    town = run.town
    query = "SELECT coalesce(sum(messages), 0) FROM quarantine_count"
    refused = number(town, query)
    published = publish_pictures(town, canary)
    assert eventually(lambda: number(town, query) == refused + published)
    town.save_broker()
    sent = everything_that_left(town)
    write_pictures_elsewhere(town, canary)
    return Leaked(sent, everything_that_left(town))


@pytest.mark.parametrize("kind", KINDS)
def test_the_search_fails_when_the_canary_is_in_one_kind_of_place(
    run: Run, leaked: Leaked, kind: str, canary: Canary
) -> None:
    with_leak = {
        place: (leaked.written if place.partition(":")[0] == kind else run.stored).get(place, b"")
        for place in {**run.stored, **leaked.written}
    }

    found = traces(with_leak, canary)

    assert {place.partition(":")[0] for place in found} == {kind}
    with pytest.raises(AssertionError, match=kind):
        assert_nothing_left(with_leak, canary)


def test_the_coordinator_keeps_nothing_of_a_picture_that_a_box_did_send(
    leaked: Leaked, canary: Canary
) -> None:
    found = {place.partition(":")[0] for place in traces(leaked.sent, canary)}

    # The broker queued it for one who is away; neither the quarantine nor a log quotes it.
    assert found == {"wire", "opened", "broker"}
