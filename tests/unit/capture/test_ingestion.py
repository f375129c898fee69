"""The pipeline over sources that a test wrote the script of."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from common.errors import ConfigError, UnreachableError
from common.timing import SystemClock
from edge.capture.frames import FrameSource
from edge.capture.ingestion import CapturedFrame, CaptureSettings, DataIngestionPipeline
from edge.capture.outages import Gap, GapReason, WrongPasswordError
from edge.capture.reconnecting import BackOff
from tests.fakes.sources import ScriptedSource, opens

pytestmark = pytest.mark.unit

QUICK = CaptureSettings(
    gap_after_s=0.1, gap_piece_s=0.1, stall_after_s=0.3, back_off=BackOff(base_s=0.0, cap_s=0.0)
)
RECORDING = CaptureSettings(gap_after_s=3.0, read_ahead_frames=2)
NOTHING_AHEAD = CaptureSettings(gap_after_s=3.0, read_ahead_frames=0)


def pipeline(
    open_camera: Callable[[], FrameSource],
    stop: threading.Event | None = None,
    settings: CaptureSettings = QUICK,
) -> DataIngestionPipeline:
    return DataIngestionPipeline(
        open_camera,
        camera_id="north",
        clock=SystemClock(),
        stop=stop or threading.Event(),
        settings=settings,
    )


def recorded(*times_s: float) -> ScriptedSource:
    return ScriptedSource(*times_s, is_live=False)


@pytest.mark.parametrize("settings", [RECORDING, NOTHING_AHEAD], ids=["read ahead", "on demand"])
def test_every_frame_of_a_recording_comes_out_with_a_verdict(settings: CaptureSettings) -> None:
    source = recorded(*(i / 10 for i in range(100)))
    capture = pipeline(opens(source), settings=settings)

    items = list(capture)

    assert [item.frame.captured_s for item in items] == [i / 10 for i in range(100)]
    assert all(item.quality.brightness == 0 for item in items)
    assert capture.expected_frames == 100
    assert capture.native_size == (32, 32)
    assert source.is_closed.is_set()


def test_a_hole_in_a_recording_is_a_gap_with_the_recordings_own_time() -> None:
    first, gap, last = pipeline(opens(recorded(0.0, 10.0)), settings=RECORDING)

    assert isinstance(first, CapturedFrame)
    assert isinstance(last, CapturedFrame)
    assert isinstance(gap, Gap)
    assert (gap.since_s, gap.until_s, gap.length_s) == (0.0, 10.0, 10.0)
    assert (gap.since_at, gap.until_at) == (first.frame.captured_at, last.frame.captured_at)
    assert gap.reason is GapReason.MISSING_FRAMES


@pytest.mark.parametrize("settings", [RECORDING, NOTHING_AHEAD], ids=["read ahead", "on demand"])
def test_a_recording_that_breaks_off_is_an_error_and_not_an_end(settings: CaptureSettings) -> None:
    source = ScriptedSource(0.0, UnreachableError("disk gone"), is_live=False)

    with pytest.raises(UnreachableError, match="disk gone"):
        list(pipeline(opens(source), settings=settings))


def test_a_stop_ends_a_recording_that_nobody_reads_ahead() -> None:
    stop = threading.Event()
    source = recorded(0.0, 0.1, 0.2)
    items = iter(pipeline(opens(source), stop, NOTHING_AHEAD))
    next(items)

    stop.set()

    assert list(items) == []
    assert source.is_closed.is_set()


def test_a_source_that_can_never_work_is_not_tried_again() -> None:
    with pytest.raises(ConfigError, match="not a video"):
        list(pipeline(opens(ConfigError("not a video"), recorded(0.0))))


def test_a_camera_that_can_no_longer_work_as_written_ends_the_run() -> None:
    open_camera = opens(
        ScriptedSource(0.0, UnreachableError("gone")), ConfigError("GStreamer was removed")
    )

    with pytest.raises(ConfigError, match="GStreamer was removed"):
        list(pipeline(open_camera))


def test_connections_share_one_clock_and_one_count() -> None:
    ran_out, held = threading.Event(), threading.Event()
    first = ScriptedSource(0.0, held, UnreachableError("cable"))
    second = ScriptedSource(0.0, ran_out)
    capture = pipeline(opens(first, second))
    items = iter(capture)

    one = next(item for item in items if isinstance(item, CapturedFrame))
    held.set()
    two = next(item for item in items if isinstance(item, CapturedFrame))
    status = capture.status
    items.close()

    assert one.frame.captured_s < two.frame.captured_s
    assert one.frame.captured_at < two.frame.captured_at
    assert (one.frame.index, two.frame.index) == (0, 1)
    assert (status.connections, status.frames_read, status.frames_dropped) == (2, 2, 0)
    assert status.is_connected


def test_a_slow_consumer_gets_the_newest_frame() -> None:
    asked, held = threading.Event(), threading.Event()
    source = ScriptedSource(0.0, asked, 0.001, 0.002, 0.003, held)
    capture = pipeline(opens(source))
    items = iter(capture)
    next(item for item in items if isinstance(item, CapturedFrame))
    asked.set()
    while capture.status.frames_read < 4:
        pass

    frame = next(item for item in items if isinstance(item, CapturedFrame)).frame
    dropped = capture.status.frames_dropped
    items.close()

    assert frame.captured_s - 0.003 >= 0
    assert dropped == 2


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        pytest.param(UnreachableError("no route"), GapReason.OFFLINE, id="no route"),
        pytest.param(WrongPasswordError("401"), GapReason.WRONG_PASSWORD, id="wrong password"),
    ],
)
def test_a_camera_that_cannot_be_opened_is_a_gap_with_the_reason(
    failure: UnreachableError | WrongPasswordError, reason: GapReason
) -> None:
    capture = pipeline(opens(failure), settings=CaptureSettings(gap_after_s=0.1, gap_piece_s=0.1))
    items = iter(capture)

    gap = next(items)
    status = capture.status
    items.close()

    assert isinstance(gap, Gap)
    assert gap.reason is reason
    assert gap.since_s == 0
    assert (status.is_connected, status.reason) == (False, reason)


def test_a_silent_connection_is_hung_up_and_opened_again() -> None:
    never = threading.Event()
    silent = ScriptedSource(0.0, never)
    capture = pipeline(opens(silent, ScriptedSource(0.0, never)))
    items = iter(capture)
    next(item for item in items if isinstance(item, CapturedFrame))

    gap = next(item for item in items if isinstance(item, Gap))
    next(item for item in items if isinstance(item, CapturedFrame))
    items.close()

    assert gap.reason is GapReason.STALLED
    assert silent.is_closed.is_set()
    assert capture.status.connections == 2


def test_a_live_source_that_just_ends_is_opened_again() -> None:
    ran_out = threading.Event()
    capture = pipeline(opens(ScriptedSource(0.0), ScriptedSource(0.0, ran_out)))
    items = iter(capture)

    while capture.status.connections < 2:
        next(items)
    items.close()

    assert capture.status.connections == 2


def test_impatience_makes_the_first_failure_final() -> None:
    settings = CaptureSettings(keeps_trying=False)

    with pytest.raises(WrongPasswordError, match="401"):
        list(pipeline(opens(WrongPasswordError("401")), settings=settings))


def test_a_stop_event_ends_a_live_camera_and_closes_it() -> None:
    stop, never = threading.Event(), threading.Event()
    source = ScriptedSource(0.0, never)
    items = iter(pipeline(opens(source), stop))
    next(items)

    stop.set()

    assert [item for item in items if isinstance(item, CapturedFrame)] == []
    assert source.is_closed.is_set()


def test_leaving_early_closes_the_camera() -> None:
    source = ScriptedSource(0.0, threading.Event())
    items = iter(pipeline(opens(source)))
    next(items)

    items.close()

    assert source.is_closed.is_set()
