"""A plate is taken when it is asked for and allowed; who is on it is covered, or has moved on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from common.plates import MOST_PLATE_BYTES, PlateOutcome, PlateReport, PlateRequest
from edge.anonymise.plate_pictures import PlatePainter, shrunk, to_webp
from edge.anonymise.plates import PlateSettings, PlateTaker
from edge.capture.frames import Frame
from edge.capture.quality import QualityIssue, QualityVerdict
from edge.detect.detections import Detections
from edge.track.tracks import TrackedFrame
from tests.fakes.clocks import StandingClock
from tests.fakes.fixed_detector import FixedDetector
from tests.fakes.frames import make_frame
from tests.unit.anonymise.test_redaction import NoFaces, OneFace

pytestmark = pytest.mark.unit

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
QUICK = PlateSettings(frames=5, every_s=3.0, wait_s=100.0)


def asked(number: int = 1, camera: str = "north") -> PlateRequest:
    return PlateRequest(device="box-1", camera=camera, number=number, at=NINE)


def taker(clock: StandingClock, *boxes: tuple[float, float, float, float]) -> PlateTaker:
    return PlateTaker(
        ["north"],
        open_painter=lambda: PlatePainter(FixedDetector(*boxes), faces=NoFaces()),
        clock=clock,
        settings=QUICK,
    )


def road(car_at: int | None = None) -> NDArray[np.uint8]:
    """A grey road, with a white car somewhere."""
    image = np.full((90, 160, 3), 60, dtype=np.uint8)
    if car_at is not None:
        image[40:60, car_at : car_at + 20] = 255
    return image


def show(plates: PlateTaker, *images: NDArray[np.uint8], every_s: float = 3.0) -> None:
    for number, image in enumerate(images):
        plates.offer("north", make_frame(image=image, captured_s=number * every_s))


def answers(plates: PlateTaker, *, within_s: float = 10.0) -> list[PlateReport]:
    """What the service makes of what was shown."""
    stop = threading.Event()
    thread = threading.Thread(target=plates.run, args=(stop,))
    thread.start()
    give_up_s = time.monotonic() + within_s
    found: list[PlateReport] = []
    while not found and time.monotonic() < give_up_s:
        found = plates.answers()
        time.sleep(0.01)
    stop.set()
    thread.join()
    return found


def picture_of(report: PlateReport) -> NDArray[np.uint8]:
    assert report.picture is not None
    content = np.frombuffer(report.picture.content, dtype=np.uint8)
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), dtype=np.uint8)


def test_nobody_who_moved_on_is_on_the_plate() -> None:
    plates = taker(StandingClock(NINE))
    plates.ask(asked())

    show(plates, *(road(car_at) for car_at in (0, 30, 60, 90, 120)))
    (report,) = answers(plates)

    assert (report.outcome, report.number) == (PlateOutcome.TAKEN, 1)
    assert report.picture is not None
    assert (report.picture.size, report.picture.frame_size) == ((160, 90), (160, 90))
    assert (report.picture.frames, report.picture.span_s) == (5, 12.0)
    assert picture_of(report).max() < 80


def test_who_stood_still_all_the_time_is_painted_over() -> None:
    plates = taker(StandingClock(NINE), (0.0, 0.0, 1.0, 1.0))
    plates.ask(asked())

    show(plates, *(road(car_at=70) for _ in range(5)))
    (report,) = answers(plates)

    assert report.picture is not None
    assert report.picture.covered == 5  # found in the whole, and in each quarter
    assert picture_of(report).max() < 140


def test_frames_that_come_faster_are_not_looked_at() -> None:
    plates = taker(StandingClock(NINE))
    plates.ask(asked())

    show(plates, *(road() for _ in range(11)), every_s=1.0)

    assert answers(plates, within_s=1.0) == []


def test_blocked_and_frozen_pictures_are_left_out() -> None:
    plates = taker(StandingClock(NINE))
    plates.ask(asked())
    onlooker = plates.onlooker("north")
    assert onlooker is not None

    for number in range(10):
        is_blocked = number % 2 == 0
        issues = frozenset({QualityIssue.BLOCKED}) if is_blocked else frozenset()
        frame = make_frame(image=road(60 if is_blocked else None), captured_s=number * 3.0)
        onlooker.offer(frame, tracked(), QualityVerdict(issues=issues, brightness=0.5))
    (report,) = answers(plates)

    assert picture_of(report).max() < 80


def tracked() -> TrackedFrame:
    return TrackedFrame(camera_id="north", captured_s=0.0, captured_at=NINE)


def test_a_box_that_does_not_allow_it_says_so_and_looks_at_nothing() -> None:
    plates = PlateTaker(["north"], open_painter=None, clock=StandingClock(NINE), settings=QUICK)

    plates.ask(asked())
    show(plates, *(road() for _ in range(9)))

    assert plates.onlooker("north") is None
    assert [report.outcome for report in answers(plates)] == [PlateOutcome.NOT_ALLOWED]


def test_a_camera_of_another_box_is_answered_with_no() -> None:
    plates = taker(StandingClock(NINE))

    plates.ask(asked(camera="south"))

    assert [report.outcome for report in plates.answers()] == [PlateOutcome.NO_SUCH_CAMERA]


def test_a_camera_that_gives_no_pictures_is_given_up() -> None:
    clock = StandingClock(NINE)
    plates = taker(clock)
    plates.ask(asked())
    show(plates, road())

    clock.move(101)

    assert [report.outcome for report in answers(plates)] == [PlateOutcome.NO_PICTURES]


def test_the_same_order_again_begins_nothing_anew_and_a_newer_one_takes_over() -> None:
    plates = taker(StandingClock(NINE))
    plates.ask(asked(1))
    show(plates, road(), road(), road())

    plates.ask(asked(1))
    plates.ask(asked(2))
    for number in (3, 4):
        plates.offer("north", make_frame(image=road(), captured_s=number * 3.0))
    found = answers(plates)

    assert [report.number for report in found] == [2]


@pytest.mark.parametrize(
    "second", [pytest.param(road()[:40], id="another size"), pytest.param(None, id="began anew")]
)
def test_a_camera_that_changes_starts_from_the_beginning(
    second: NDArray[np.uint8] | None,
) -> None:
    plates = taker(StandingClock(NINE))
    plates.ask(asked())
    show(plates, road(), road(), road(), road())
    again = road() if second is None else second
    begin_s = -100.0 if second is None else 100.0

    for number in range(5):
        plates.offer("north", make_frame(image=again, captured_s=begin_s + number * 3.0))
    (report,) = answers(plates)

    assert report.picture is not None
    assert report.picture.span_s == 12.0
    assert picture_of(report).shape == again.shape


def test_a_face_that_no_road_user_belongs_to_is_covered_too() -> None:
    painter = PlatePainter(FixedDetector(), faces=OneFace())

    painted = painter.paint(np.full((360, 640, 3), 60, np.uint8), camera_id="north", at=NINE)

    image = cv2.imdecode(np.frombuffer(painted.webp, np.uint8), cv2.IMREAD_COLOR)
    assert painted.covered == 1
    assert abs(int(image[100, 100].mean()) - 128) < 4
    assert abs(int(image[200, 300].mean()) - 60) < 4


def test_what_is_found_in_a_quarter_is_covered_where_it_is() -> None:
    painter = PlatePainter(OnlyInQuarters(), faces=NoFaces())

    painted = painter.paint(np.full((360, 640, 3), 60, np.uint8), camera_id="north", at=NINE)

    image = cv2.imdecode(np.frombuffer(painted.webp, np.uint8), cv2.IMREAD_COLOR)
    # Quarters of 384 x 216 at the corners; the first tenth of each is found.
    for left, top in ((0, 0), (256, 0), (0, 144), (256, 144)):
        assert abs(int(image[top + 8, left + 12].mean()) - 128) < 6, (left, top)
    assert abs(int(image[100, 150].mean()) - 60) < 6


class OnlyInQuarters(FixedDetector):
    """Finds something small that it does not see in the whole picture."""

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        self.boxes = [] if frame_size == (640, 360) else [(0.0, 0.0, 0.1, 0.1)]
        return super().detect(frame, frame_size=frame_size)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: np.random.default_rng(1).integers(0, 255, (540, 960, 3)), id="noise"),
        pytest.param(lambda: np.full((1080, 1920, 3), 90), id="a large flat picture"),
    ],
)
def test_every_picture_becomes_small_enough(make: Callable[[], NDArray[np.int64]]) -> None:
    image = make().astype(np.uint8)

    small = shrunk(image)

    assert max(small.shape[:2]) <= 960
    assert small is not image
    assert len(to_webp(small)) <= MOST_PLATE_BYTES
