"""A real RTSP server against the source and the pipeline."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from common.errors import ConfigError, UnreachableError
from common.timing import SystemClock
from edge.capture.frames import FrameSource
from edge.capture.ingestion import CapturedFrame, CaptureSettings, DataIngestionPipeline
from edge.capture.opening import open_source
from edge.capture.outages import Gap, GapReason, StalledError, WrongPasswordError, WrongStreamError
from edge.capture.reconnecting import BackOff
from edge.capture.rtsp import open_rtsp
from tests.integration.capture.conftest import RtspServer

pytestmark = pytest.mark.integration

QUICK = CaptureSettings(
    gap_after_s=0.5, gap_piece_s=0.5, back_off=BackOff(base_s=0.2, cap_s=0.4, steady_after_s=1.0)
)


class Watched:
    """The items of a pipeline, read until a condition holds or nothing is left."""

    def __init__(self, pipeline: DataIngestionPipeline) -> None:
        self._items: Iterator[CapturedFrame | Gap] = iter(pipeline)
        self.seen: list[CapturedFrame | Gap] = []

    def frames(self, count: int) -> list[CapturedFrame]:
        """Read on until ``count`` more frames came."""
        found: list[CapturedFrame] = []
        while len(found) < count:
            item = self._next()
            if isinstance(item, CapturedFrame):
                found.append(item)
        return found

    def gap(self, reason: GapReason) -> Gap:
        """Read on until a gap with this reason came."""
        while True:
            item = self._next()
            if isinstance(item, Gap) and item.reason is reason:
                return item

    def close(self) -> None:
        self._items.close()

    def _next(self) -> CapturedFrame | Gap:
        item = next(self._items)
        self.seen.append(item)
        return item


def opened(address: str, **settings: float) -> FrameSource:
    return open_rtsp(address, camera_id="cam", clock=SystemClock(), **settings)


def watch(address: str, stop: threading.Event, settings: CaptureSettings = QUICK) -> Watched:
    def open_camera() -> FrameSource:
        return open_source(address, camera_id="cam", clock=SystemClock())

    return Watched(
        DataIngestionPipeline(
            open_camera, camera_id="cam", clock=SystemClock(), stop=stop, settings=settings
        )
    )


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_camera_opens_with_its_size_and_its_own_frame_spacing(rtsp_server: RtspServer) -> None:
    rtsp_server.start()

    source = opened(rtsp_server.address())
    frames = [frame for frame, _ in zip(source.frames(), range(40), strict=False)]
    source.close()

    assert source.is_live
    assert source.native_size == (320, 240)
    assert frames[0].image.shape == (240, 320, 3)
    steps = [b.captured_s - a.captured_s for a, b in pairwise(frames[10:])]
    assert sum(steps) / len(steps) == pytest.approx(0.04, abs=0.002)
    assert min(steps) > 0


def test_images_come_in_the_working_size(rtsp_server: RtspServer) -> None:
    rtsp_server.start()

    source = open_rtsp(
        rtsp_server.address(), camera_id="cam", clock=SystemClock(), working_size=(160, 120)
    )
    frame = next(iter(source.frames()))
    source.close()

    assert frame.image.shape == (120, 160, 3)
    assert frame.native_size == (320, 240)


def test_a_wrong_password_is_named_and_not_shown(rtsp_server: RtspServer) -> None:
    rtsp_server.start("viewer", "right")

    with pytest.raises(WrongPasswordError, match="refused user or password") as refused:
        opened(rtsp_server.address("viewer:h0rse@"))

    assert isinstance(refused.value, ConfigError)
    assert "h0rse" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_the_right_password_opens(rtsp_server: RtspServer) -> None:
    rtsp_server.start("viewer", "r@ght")

    source = opened(rtsp_server.address("viewer:r%40ght@"))
    source.close()

    assert source.native_size == (320, 240)


def test_a_path_that_the_camera_does_not_serve_is_named(rtsp_server: RtspServer) -> None:
    rtsp_server.start()

    with pytest.raises(WrongStreamError, match="/other answered that it has no such stream"):
        opened(f"rtsp://127.0.0.1:{rtsp_server.port}/other")


def test_nobody_listening_is_unreachable_and_not_a_wrong_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}/cam cannot be reached"):
        opened(f"rtsp://u:secret@127.0.0.1:{port}/cam")


def test_an_unknown_host_is_unreachable() -> None:
    with pytest.raises(UnreachableError, match=r"camera\.invalid/cam cannot be reached"):
        opened("rtsp://camera.invalid/cam")


def test_something_that_is_no_address_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="is not an address"):
        opened("rtsp://127.0.0.1:99999/cam")


def test_a_camera_that_falls_silent_is_stalled(rtsp_server: RtspServer) -> None:
    rtsp_server.start()
    source = opened(rtsp_server.address(), read_timeout_s=0.5)
    frames = source.frames()
    next(frames)

    rtsp_server.freeze()

    with pytest.raises(StalledError, match=r"sent nothing for 0\.5 s"):
        list(frames)


def test_a_killed_and_restarted_camera_leaves_a_gap_and_one_clock(
    rtsp_server: RtspServer, stop: threading.Event
) -> None:
    rtsp_server.start()
    watched = watch(rtsp_server.address(), stop)
    watched.frames(10)
    rtsp_server.kill()
    gap = watched.gap(GapReason.OFFLINE)
    rtsp_server.start()
    after = watched.frames(10)
    watched.close()

    frames = [item.frame for item in watched.seen if isinstance(item, CapturedFrame)]
    times = [frame.captured_s for frame in frames]
    assert times == sorted(set(times))
    moments = [frame.captured_at for frame in frames]
    assert moments == sorted(set(moments))
    last_s = max(at_s for at_s in times if at_s <= gap.since_s)
    next_s = after[0].frame.captured_s
    gaps = [item for item in watched.seen if isinstance(item, Gap)]
    pieces = [piece for piece in gaps if last_s <= piece.since_s < next_s]
    assert all(a.until_s == b.since_s for a, b in pairwise(pieces))
    assert all(a.until_at == b.since_at for a, b in pairwise(pieces))
    assert (pieces[0].since_s, pieces[-1].until_s) == (last_s, next_s)


def test_a_password_changed_under_the_pipeline_is_reported_until_it_is_put_right(
    rtsp_server: RtspServer, stop: threading.Event
) -> None:
    rtsp_server.start("viewer", "old")
    watched = watch(rtsp_server.address("viewer:old@"), stop)
    watched.frames(3)
    rtsp_server.kill()
    rtsp_server.start("viewer", "new")
    gap = watched.gap(GapReason.WRONG_PASSWORD)
    rtsp_server.kill()
    rtsp_server.start("viewer", "old")
    watched.frames(3)
    watched.close()

    assert gap.length_s > 0


def test_a_silent_camera_is_reported_as_stalled(
    rtsp_server: RtspServer, stop: threading.Event
) -> None:
    rtsp_server.start()
    watched = watch(rtsp_server.address(), stop)
    watched.frames(3)

    rtsp_server.freeze()

    assert watched.gap(GapReason.STALLED).length_s > 0
    watched.close()


def test_a_camera_that_is_off_at_the_start_is_waited_for(
    rtsp_server: RtspServer, stop: threading.Event
) -> None:
    watched = watch(rtsp_server.address(), stop)
    gap = watched.gap(GapReason.OFFLINE)
    rtsp_server.start()
    frame = watched.frames(1)[0].frame
    watched.close()

    assert gap.since_s == 0
    assert frame.captured_s >= gap.until_s


def test_one_attempt_is_final_where_a_person_waits(stop: threading.Event) -> None:
    watched = watch("rtsp://127.0.0.1:9/cam", stop, CaptureSettings(keeps_trying=False))

    with pytest.raises(UnreachableError, match="cannot be reached"):
        watched.frames(1)


def test_stopping_ends_the_iteration(rtsp_server: RtspServer, stop: threading.Event) -> None:
    rtsp_server.start()
    watched = watch(rtsp_server.address(), stop)
    watched.frames(2)

    stop.set()

    with pytest.raises(StopIteration):
        watched.frames(1000)
