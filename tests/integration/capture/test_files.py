"""Recordings, whole and broken, and the real clips."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from common.errors import ConfigError
from common.timing import SystemClock
from edge.capture.files import FileSource
from edge.capture.frames import Frame
from edge.capture.ingestion import CapturedFrame, DataIngestionPipeline
from edge.capture.quality import QualityIssue, QualityLimits, QualityValidator
from tests.integration.capture.conftest import HEIGHT, WIDTH, draw

pytestmark = pytest.mark.integration

COUNT = 100
Record = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Writes a recording of the drawn street with the given presentation times."""

    def write(name: str = "clip.mp4", *, times_ms: list[int] | None = None, gop: int = 10) -> Path:
        path = tmp_path / name
        times_ms = times_ms or [i * 40 for i in range(COUNT)]
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"g": str(gop), "bf": "2", "sc_threshold": "0"}
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            for index, time_ms in enumerate(times_ms):
                frame = av.VideoFrame.from_ndarray(draw(index), format="bgr24")
                frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


def opened(path: Path, **options: object) -> FileSource:
    return FileSource(path, camera_id="north", **options)


def test_every_frame_comes_once_at_its_own_time(record: Record) -> None:
    source = opened(record())

    frames = list(source.frames())

    assert [frame.index for frame in frames] == list(range(COUNT))
    assert [frame.captured_s for frame in frames] == pytest.approx([i / 25 for i in range(COUNT)])
    assert (source.native_size, source.expected_frames) == ((WIDTH, HEIGHT), COUNT)
    assert not source.is_live


def test_a_variable_frame_rate_stays_true(record: Record) -> None:
    times_ms = [0, 40, 200, 1000, 1033, 5000]

    frames = list(opened(record(times_ms=times_ms)).frames())

    assert [frame.captured_s for frame in frames] == pytest.approx([t / 1000 for t in times_ms])


def test_a_recording_that_does_not_start_at_zero_is_counted_from_its_first_frame(
    record: Record,
) -> None:
    frames = list(opened(record("clip.mkv", times_ms=[7000, 7040, 7080])).frames())

    assert [frame.captured_s for frame in frames] == pytest.approx([0, 0.04, 0.08])


def test_images_are_scaled_on_the_way_out_of_the_decoder(record: Record) -> None:
    small = next(iter(opened(record(), working_size=(160, 120)).frames()))
    full = next(iter(opened(record()).frames()))

    assert (small.image.shape, small.native_size) == ((120, 160, 3), (WIDTH, HEIGHT))
    halved = full.image.reshape(120, 2, 160, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small.image).mean() < 5


def test_colours_are_blue_green_red(record: Record, tmp_path: Path) -> None:
    frame = next(iter(opened(record()).frames()))

    assert np.abs(frame.image.astype(int) - draw(0)).mean() < 6


def test_the_start_of_the_recording_can_be_given(record: Record) -> None:
    started_at = datetime(2025, 3, 30, 0, 59, 59, tzinfo=UTC)

    frames = list(opened(record(), started_at=started_at).frames())

    assert frames[50].captured_at == datetime(2025, 3, 30, 1, 0, 1, tzinfo=UTC)


def test_without_a_stored_time_the_file_tells_its_own(record: Record) -> None:
    path = record("clip.avi")

    first = next(iter(opened(path).frames()))

    assert first.captured_at == datetime.fromtimestamp(path.stat().st_mtime, UTC)


def test_a_start_without_a_time_zone_is_refused(record: Record) -> None:
    with pytest.raises(ValueError, match="expected an aware datetime"):
        opened(record(), started_at=datetime(2025, 1, 1))  # noqa: DTZ001 - the point of the test


def test_damaged_data_costs_frames_that_are_counted_and_no_more(record: Record) -> None:
    path = record(gop=10)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    length = int.from_bytes(data[begin - 8 : begin - 4], "big")
    random = np.random.default_rng(1)
    for position in random.integers(begin + length // 3, begin + length // 2, 400):
        data[position] ^= 0xFF
    path.write_bytes(data)
    source = opened(path)

    frames = list(source.frames())

    times = [frame.captured_s for frame in frames]
    assert source.faults.total > 0
    assert len(frames) + source.faults.total <= COUNT + source.faults.corrupt_packets
    assert times == sorted(set(times))
    assert times[-1] == pytest.approx((COUNT - 1) / 25)
    assert len(frames) >= COUNT // 2


def test_a_recording_cut_short_by_a_power_failure_gives_what_it_has(record: Record) -> None:
    path = record("clip.mkv")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    frames = list(opened(path).frames())

    assert 20 <= len(frames) < COUNT


def test_a_recording_of_which_nothing_can_be_decoded_is_refused(record: Record) -> None:
    path = record()
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    length = int.from_bytes(data[begin - 8 : begin - 4], "big") - 8
    data[begin : begin + length] = bytes(length)
    path.write_bytes(data)

    with pytest.raises(ConfigError, match="no frame that can be decoded"):
        list(opened(path).frames())


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        pytest.param("a.mp4", b"", "is not a video: it is empty", id="empty"),
        pytest.param("a.mp4", b"not a clip\n" * 99, "is not a video: invalid data", id="text"),
        pytest.param("a.txt", b"not a clip\n" * 99, "is not a video", id="text by name"),
        pytest.param("a.mp4", b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", "is not a video", id="list"),
        pytest.param("a.mp4", bytes(range(256)) * 99, "is not a video", id="noise"),
    ],
)
def test_what_is_not_a_video_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=complaint) as refused:
        list(opened(path).frames())

    assert "\n" not in str(refused.value)
    assert "expected a recording" in str(refused.value)


def test_a_sound_recording_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), layout="mono")
        silence.rate = 8000
        container.mux(stream.encode(silence))

    with pytest.raises(ConfigError, match="it holds audio, expected a video stream"):
        opened(path)


def test_a_second_pass_needs_a_second_opening(record: Record) -> None:
    source = opened(record())
    list(source.frames())

    with pytest.raises(ValueError, match="open it again"):
        list(source.frames())


def test_closing_from_another_thread_ends_the_reading(record: Record) -> None:
    source = opened(record())
    frames: Iterator[Frame] = source.frames()
    next(frames)

    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join()

    assert len(list(frames)) < COUNT - 1
    source.close()


def test_more_decoder_threads_give_the_same_frames(record: Record) -> None:
    path = record()

    one = list(opened(path).frames())
    four = list(opened(path, decoder_threads=4).frames())

    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, four, strict=True))
    assert [a.captured_s for a in one] == [b.captured_s for b in four]


CLIPS = [
    "ahmetozlu_input",
    "degirum_Traffic",
    "otgt_13-11-00",
    "tfl_625_201707211410",
    "tfl_625_201708101101",
    "tfl_625_201708311646",
    "tfl_625_201709042126_night",
    "tfl_625_201709140956",
    "tfl_625_201709171247",
    "tfl_625_201709211346",
    "tfl_625_201709280931",
    "tfl_625_201709281047",
    "tfl_625_201709281436",
]


def issues_of(path: Path) -> set[QualityIssue]:
    capture = DataIngestionPipeline(
        lambda: FileSource(path, camera_id="north", working_size=(640, 360)),
        camera_id="north",
        clock=SystemClock(),
        stop=threading.Event(),
    )
    seen = [item.quality.issues for item in capture if isinstance(item, CapturedFrame)]
    assert len(seen) == capture.expected_frames
    return set().union(*seen)


@pytest.mark.parametrize("clip", CLIPS)
def test_real_traffic_is_good_by_day_and_at_night(shared_data: Path, clip: str) -> None:
    assert issues_of(shared_data / "clips" / f"{clip}.mp4") == set()


def test_a_real_camera_that_was_knocked_between_two_days_is_shifted(shared_data: Path) -> None:
    """The operator's camera stood 20 thumbnail pixels further left in July than in August."""
    july, august = (
        FileSource(shared_data / "clips" / f"tfl_625_{day}.mp4", camera_id="north")
        for day in ("201707211410", "201708101101")
    )
    splice = [*july.frames()]
    moved_s = splice[-1].captured_s + 0.04
    issues: set[QualityIssue] = set()
    validator = QualityValidator(QualityLimits())
    for frame in splice:
        assert validator.check(frame).is_good
    for frame in august.frames():
        issues |= validator.check(replace(frame, captured_s=frame.captured_s + moved_s)).issues

    assert issues == {QualityIssue.SHIFTED}
