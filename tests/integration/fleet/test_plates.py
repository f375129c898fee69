"""Wishes for background plates, the orders that are sent, and what boxes answer."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlmodel import col

from common.encryption import read_order
from common.errors import ConflictError, NotFoundError
from common.plates import PlateOutcome, PlatePicture, PlateReport, PlateRequest
from coordinator.container import CoordinatorContainer
from coordinator.fleet.tables import HealthRow, SiteRow
from coordinator.plates.service import Plates
from coordinator.plates.store import add_answer
from coordinator.plates.views import PlateStep
from coordinator.plates.whose import box_of
from coordinator.security.tables import AuditEntryRow
from coordinator.traffic.tables import CameraRow
from tests.fakes.clocks import SkippingClock
from tests.fakes.enrolled_box import Box
from tests.fakes.plates import webp_file

pytestmark = pytest.mark.integration


class Sent:
    """A broker that only remembers."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, bytes]] = []

    def send(self, orders: Sequence[tuple[str, bytes]]) -> None:
        self.orders += orders


@pytest.fixture
def sent(container: CoordinatorContainer) -> Sent:
    sent = Sent()
    container.sender.override(sent)
    return sent


@pytest.fixture
def device(container: CoordinatorContainer) -> str:
    """A box of the site main, which told of its camera north."""
    token = container.tokens().create("main", hours=1).token
    device = str(container.enrolment().enrol(Box.new().request(token.secret)).device)
    with container.database().session() as session:
        site = session.execute(select(SiteRow).where(col(SiteRow.slug) == "main")).scalar_one()
        camera = CameraRow(
            tenant_id=site.tenant_id,
            site_id=site.id,
            slug="north",
            created_at=container.clock().now(),
        )
        session.add(camera)
    return device


@pytest.fixture
def plates(container: CoordinatorContainer, sent: Sent, device: str) -> Plates:
    del sent, device
    return container.plates()


def answer(
    container: CoordinatorContainer, device: str, number: int, outcome: PlateOutcome
) -> bool:
    """What ingest does with a box's answer."""
    picture = None
    if outcome is PlateOutcome.TAKEN:
        picture = PlatePicture.of(
            webp_file(64, 48), frame_size=(640, 480), frames=21, span_s=60.0, covered=2
        )
    now = container.clock().now()
    report = PlateReport(camera="north", number=number, at=now, outcome=outcome, picture=picture)
    with container.database().session() as session:
        return add_answer(session.connection(), device=device, camera_id=1, report=report, now=now)


def test_a_wish_is_a_signed_order_to_the_box_of_the_camera(
    container: CoordinatorContainer, plates: Plates, sent: Sent, device: str
) -> None:
    view = plates.wish("main", "north")

    plates.send_due()

    topic, order = sent.orders[0]
    keys = {key.key_id: key for key, _ in container.ring().order_offers()}
    told = PlateRequest.model_validate_json(read_order(order, keys))
    assert topic == f"its/v1/{device}/down/plate"
    assert (told.device, told.camera, told.number) == (device, "north", 1)
    assert (view.step, view.number) == (PlateStep.WAITING, 1)
    with container.database().session() as session:
        entries = session.scalars(select(AuditEntryRow).order_by(col(AuditEntryRow.number)))
        told_of = entries.all()[-1]
        assert (told_of.action, told_of.subject) == ("plate_wished", "main/north")


def test_a_wish_is_repeated_until_the_box_answers_and_for_a_day_at_most(
    container: CoordinatorContainer, plates: Plates, device: str, clock: SkippingClock
) -> None:
    plates.wish("main", "north")

    rounds = [plates.send_due(), plates.send_due()]
    clock.skip(61)
    rounds.append(plates.send_due())
    answer(container, device, 1, PlateOutcome.NOT_ALLOWED)
    clock.skip(61)
    rounds.append(plates.send_due())
    plates.wish("main", "north")
    clock.skip(timedelta(days=1, seconds=1).total_seconds())
    rounds.append(plates.send_due())

    assert rounds == [1, 0, 1, 0, 0]
    assert plates.show("main", "north").step is PlateStep.TOO_LATE


def test_the_picture_is_kept_until_a_newer_one_comes_or_it_is_deleted(
    container: CoordinatorContainer, plates: Plates, device: str
) -> None:
    plates.wish("main", "north")
    assert answer(container, device, 1, PlateOutcome.TAKEN)
    plates.wish("main", "north")
    assert answer(container, device, 2, PlateOutcome.TAKEN)

    view = plates.show("main", "north")
    assert view.picture is not None
    assert (view.step, view.outcome) == (PlateStep.ANSWERED, PlateOutcome.TAKEN)
    assert (view.picture.number, view.picture.size) == (2, (64, 48))
    assert plates.picture("main", "north") == webp_file(64, 48)

    plates.forget("main", "north")
    assert plates.show("main", "north").picture is None
    with pytest.raises(NotFoundError, match="no background picture"):
        plates.picture("main", "north")


def test_a_refusal_leaves_the_picture_of_before(
    container: CoordinatorContainer, plates: Plates, device: str
) -> None:
    plates.wish("main", "north")
    answer(container, device, 1, PlateOutcome.TAKEN)
    plates.wish("main", "north")
    answer(container, device, 2, PlateOutcome.NOT_ALLOWED)

    view = plates.show("main", "north")

    assert view.outcome is PlateOutcome.NOT_ALLOWED
    assert view.picture is not None
    assert view.picture.number == 1


@pytest.mark.parametrize(
    ("stranger", "number"),
    [
        pytest.param("", 2, id="a number that nobody gave"),
        pytest.param("", 1, id="a number that was answered"),
        pytest.param("elsewhere", 1, id="another box"),
    ],
)
def test_a_picture_that_nobody_asked_this_box_for_is_not_kept(
    container: CoordinatorContainer, plates: Plates, device: str, stranger: str, number: int
) -> None:
    plates.wish("main", "north")
    if number == 1 and not stranger:
        assert answer(container, device, 1, PlateOutcome.NOT_ALLOWED)

    assert not answer(container, stranger or device, number, PlateOutcome.TAKEN)

    assert plates.show("main", "north").picture is None


@pytest.mark.parametrize(
    ("site", "camera"),
    [("main", "south"), ("harbour", "north")],
    ids=["another camera", "another site"],
)
def test_a_camera_that_nobody_told_of_has_no_plate(plates: Plates, site: str, camera: str) -> None:
    for question in (plates.show, plates.wish, plates.picture, plates.forget):
        with pytest.raises(NotFoundError, match="not known"):
            question(site, camera)


def test_nobody_is_asked_when_the_box_has_ended(
    container: CoordinatorContainer, plates: Plates, device: str
) -> None:
    container.fleet().retire(device, reason="test")

    with pytest.raises(ConflictError, match="no enrolled box"):
        plates.wish("main", "north")


def test_of_several_boxes_the_one_that_told_of_the_camera_is_asked() -> None:
    silent, other = ("a", {}), ("b", {"cameras": [{"camera": "south"}]})
    ours = ("c", {"cameras": [{"camera": "north"}]})

    assert box_of("north", [silent, other, ours]) == "c"
    assert box_of("north", [silent]) == "a"
    assert box_of("north", [silent, other]) is None
    assert box_of("north", []) is None


def test_the_health_that_is_asked_is_the_stored_one(
    container: CoordinatorContainer, plates: Plates, device: str
) -> None:
    with container.database().session() as session:
        now = container.clock().now()
        tenant = container.settings().tenant.id
        content = {"cameras": [{"camera": "north", "state": "running"}]}
        session.add(HealthRow(device_id=device, tenant_id=tenant, at=now, content=content))

    assert plates.wish("main", "north").number == 1


def test_the_file_is_the_one_that_was_sent() -> None:
    content = webp_file(64, 48)
    picture = PlatePicture.of(content, frame_size=(640, 480), frames=3, span_s=0.0, covered=0)

    assert base64.b64decode(picture.webp) == picture.content == content
