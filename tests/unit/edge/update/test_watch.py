from __future__ import annotations

import pytest

from common.release import reasons
from edge.health import CameraHealth, CameraState
from edge.update.record import CameraRate
from edge.update.watch import Rates, Watch, WatchTimes

pytestmark = pytest.mark.unit

BEFORE = (CameraRate(camera="north", fps=10.0),)
TIMES = WatchTimes(watch_s=120)


def camera(
    fps: float = 10.0,
    state: CameraState = CameraState.RUNNING,
    *,
    name: str = "north",
    restarts: int = 0,
) -> CameraHealth:
    return CameraHealth(camera_id=name, state=state, fps=fps, restarts=restarts)


def watched(
    reports: list[CameraHealth], *, every_s: float = 10.0, times: WatchTimes = TIMES
) -> tuple[str | None, bool]:
    """What a watch says after health reports in a row, and whether it is over."""
    watch = Watch(BEFORE, times)
    at_s = 0.0
    for each in reports:
        watch.note((each,), at_s=at_s)
        if fault := watch.fault(at_s=at_s):
            return fault, watch.is_over(at_s=at_s)
        at_s += every_s
    return None, watch.is_over(at_s=at_s - every_s)


def test_a_camera_that_does_as_before_is_no_fault() -> None:
    assert watched([camera()] * 13) == (None, True)


def test_nothing_is_decided_before_the_time_is_over() -> None:
    assert watched([camera(fps=1.0)] * 12) == (None, False)


@pytest.mark.parametrize(
    ("fps", "fault"),
    [(5.0, None), (4.9, reasons.SLOW)],
    ids=["half of before", "less than half"],
)
def test_a_model_that_halves_the_frames_is_too_slow(fps: float, fault: str | None) -> None:
    assert watched([camera(fps=fps)] * 13) == (fault, True)


def test_slow_while_cameras_are_opened_again_is_not_slow() -> None:
    assert watched([camera(fps=0.5)] * 3 + [camera()] * 10) == (None, True)


def test_a_camera_that_gives_nothing_at_the_end_is_lost() -> None:
    silent = camera(fps=0.0, state=CameraState.NO_FRAMES)

    assert watched([camera()] * 8 + [silent] * 5) == (reasons.CAMERA_LOST, True)


def test_a_camera_that_came_late_is_not_lost() -> None:
    silent = camera(fps=0.0, state=CameraState.NO_FRAMES)

    assert watched([silent] * 7 + [camera()] * 6) == (None, True)


def test_a_short_watch_waits_for_cameras_on_a_loaded_box() -> None:
    silent, short = camera(fps=0.0, state=CameraState.NO_FRAMES), WatchTimes(watch_s=8)

    assert watched([silent] * 15 + [camera()] * 3, every_s=1.0, times=short) == (None, True)
    assert watched([silent] * 60, every_s=1.0, times=short) == (None, False)
    assert watched([silent] * 63, every_s=1.0, times=short) == (reasons.CAMERA_LOST, True)


def test_a_camera_that_the_box_does_not_tell_of_any_more_is_lost() -> None:
    assert watched([camera(name="south")] * 13) == (reasons.CAMERA_LOST, True)


def test_a_camera_that_gave_nothing_before_owes_nothing() -> None:
    watch = Watch((), TIMES)
    for at_s in range(0, 130, 10):
        watch.note((camera(fps=0.0, state=CameraState.NO_FRAMES),), at_s=float(at_s))

    assert watch.fault(at_s=120.0) is None
    assert watch.is_over(at_s=120.0)


def test_a_recording_that_ended_is_not_lost() -> None:
    finished = camera(fps=0.0, state=CameraState.FINISHED)

    assert watched([camera()] * 5 + [finished] * 8) == (None, True)


def test_errors_that_repeat_end_the_watch_at_once() -> None:
    failing = [camera(restarts=number) for number in (0, 1, 2, 3)]

    assert watched(failing) == (reasons.CAMERA_FAILED, False)


def test_one_report_is_not_enough_however_long_it_took() -> None:
    watch = Watch(BEFORE, TIMES)
    report = (camera(),)
    for at_s in (0.0, 60.0, 500.0):
        watch.note(report, at_s=at_s)

    assert not watch.is_over(at_s=500.0)


def test_rates_are_means_of_the_reports_that_gave_numbers() -> None:
    rates = Rates()
    for fps in (8.0, 12.0):
        rates.note((camera(fps=fps),))
    rates.note((camera(fps=0.0, state=CameraState.NO_FRAMES),))

    assert rates.is_known
    assert rates.means() == (CameraRate(camera="north", fps=10.0),)


def test_the_same_report_counts_once() -> None:
    rates = Rates()
    report = (camera(),)
    for _ in range(5):
        rates.note(report)

    assert not rates.is_known
