"""Chosen pictures → samples of the vault → better labels, by somebody who looks again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from common.at_rest import AtRestKey
from common.errors import ConfigError
from common.geometry import Box
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from common.sample_files import SampleVault
from common.samples import LabelSource, Sample, SampleFacts
from edge.capture.frames import Frame
from edge.detect.detections import Detections
from edge.learn.idle_teacher import IdleTeacher, teach, untaught
from edge.learn.keeping import SampleKeeper
from edge.learn.marks import Mark, Marks
from edge.learn.pictures import from_jpeg, to_jpeg
from edge.learn.readiness import SampleCounts
from edge.learn.sampler import Chosen
from edge.learn.selection import Reason
from edge.learn.settings import LearnSettings
from edge.learn.watching import ReadinessWatch, counts
from edge.sensors import Sensors
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
KEY = AtRestKey(bytes(32))
CAR_PX = Box(100, 50, 200, 100)


@pytest.fixture
def vault(tmp_path: Path) -> SampleVault:
    return SampleVault(tmp_path / "samples", KEY)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NOON)


def picture(taken_at: datetime = NOON, *, value: float = 0.5, marks: Marks | None = None) -> Chosen:
    return Chosen(
        camera_id="cam-a",
        taken_at=taken_at,
        image=np.full((200, 400, 3), 90, dtype=np.uint8),
        frame_size=(400, 200),
        marks=marks or Marks(sure=(Mark(box_px=CAR_PX, road_user=RoadUser.CAR, score=0.8),)),
        reasons=(Reason.UNCERTAIN,),
        value=value,
    )


def keeper_of(vault: SampleVault, clock: StandingClock, *, most_side_px: int = 640) -> SampleKeeper:
    return SampleKeeper(vault, clock=clock, most_side_px=most_side_px, keep_days=30)


class Looker:
    """Sees one car where it is, also in the mirror."""

    def __init__(self, score: float) -> None:
        self.score = score

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        is_mirrored = frame.image[0, 0, 0] < frame.image[0, -1, 0]
        x1, y1, x2, y2 = CAR_PX
        box = (frame_size[0] - x2, y1, frame_size[0] - x1, y2) if is_mirrored else CAR_PX
        scores = np.zeros((1, len(ROAD_USERS)), dtype=np.float32)
        scores[0, ROAD_USER_INDEX[RoadUser.CAR]] = self.score
        return Detections(
            camera_id=frame.camera_id,
            captured_s=0.0,
            captured_at=frame.captured_at,
            boxes_px=np.array([box], dtype=np.float32),
            scores=scores.max(axis=1),
            classes=scores.argmax(axis=1),
            class_scores=scores,
        )


def lopsided() -> bytes:
    """A picture that is brighter on its left, so that its mirror image can be told."""
    image = np.full((200, 400, 3), 40, dtype=np.uint8)
    image[:, :200] = 200
    return to_jpeg(image, most_side_px=640)


def test_a_chosen_picture_becomes_a_sample_in_shares_of_the_picture(
    vault: SampleVault, clock: StandingClock
) -> None:
    keeper = keeper_of(vault, clock)
    keeper.take(picture())

    keeper.store_waiting(timeout_s=0.0)

    (sample,) = vault.read()
    (box,) = sample.boxes
    assert (box.cx, box.cy, box.w, box.h) == (0.375, 0.375, 0.25, 0.25)
    assert (sample.camera, sample.source) == ("cam-a", LabelSource.TRACKS)
    assert (sample.reasons, sample.value) == (("uncertain",), 0.5)


def test_a_picture_that_the_tracks_say_nothing_of_waits_for_its_labels(
    vault: SampleVault, clock: StandingClock
) -> None:
    keeper = keeper_of(vault, clock)
    keeper.take(picture(marks=Marks()))

    keeper.store_waiting(timeout_s=0.0)

    assert vault.count() == 0
    assert vault.count({LabelSource.NONE}) == 1


def test_a_large_picture_is_kept_smaller(vault: SampleVault, clock: StandingClock) -> None:
    keeper = keeper_of(vault, clock, most_side_px=320)
    keeper.take(picture())

    keeper.store_waiting(timeout_s=0.0)

    (sample,) = vault.read()
    assert from_jpeg(sample.jpeg).shape == (160, 320, 3)


def test_a_slow_disk_costs_pictures_and_never_makes_a_camera_wait(
    vault: SampleVault, clock: StandingClock
) -> None:
    keeper = keeper_of(vault, clock)

    with capture_logs() as logs:
        for minute in range(10):
            keeper.take(picture(NOON + timedelta(minutes=minute)))
    keeper.store_waiting(timeout_s=0.0)

    assert [line["event"] for line in logs] == ["sample_not_kept"] * 2
    assert vault.count() == 8


def test_what_still_waits_is_stored_when_the_agent_stops(
    vault: SampleVault, clock: StandingClock
) -> None:
    keeper, stop = keeper_of(vault, clock), threading.Event()
    keeper.take(picture())
    stop.set()

    keeper.run(stop)

    assert vault.count() == 1


def test_a_picture_that_is_too_old_goes(vault: SampleVault, clock: StandingClock) -> None:
    keeper = keeper_of(vault, clock)
    for days in (29, 31):
        keeper.take(picture(NOON - timedelta(days=days)))
    keeper.store_waiting(timeout_s=0.0)

    keeper.sweep()

    assert [facts.taken_at for facts in vault.facts()] == [NOON - timedelta(days=29)]


def waiting_sample(vault: SampleVault, *, value: float = 0.5) -> SampleFacts:
    sample = Sample(camera="cam-a", taken_at=NOON, value=value, jpeg=lopsided())
    vault.add(sample)
    return sample


def test_looking_again_from_both_sides_gives_better_labels(vault: SampleVault) -> None:
    sample = waiting_sample(vault)

    teach(vault, sample.id, [Looker(0.9)])

    (taught,) = vault.read()
    (box,) = taught.boxes
    assert (taught.id, taught.source) == (sample.id, LabelSource.TEACHER)
    assert (box.road_user, box.cx, box.w) == (RoadUser.CAR, 0.375, 0.25)


def test_what_the_better_pass_is_unsure_of_is_ignored(vault: SampleVault) -> None:
    sample = waiting_sample(vault)

    teach(vault, sample.id, [Looker(0.3)])

    (taught,) = vault.read()
    assert (len(taught.boxes), len(taught.ignore)) == (0, 1)


def test_the_most_valuable_picture_is_looked_at_first(vault: SampleVault) -> None:
    dull, telling = (waiting_sample(vault, value=value) for value in (0.1, 0.9))

    assert untaught(vault) == [telling.id, dull.id]


def test_a_sample_that_is_no_picture_is_dropped(vault: SampleVault) -> None:
    broken = Sample(camera="cam-a", taken_at=NOON, jpeg=b"no picture")
    vault.add(broken)

    assert not teach(vault, broken.id, [Looker(0.9)])
    assert vault.facts() == ()


class Waits:
    """A stop event that lets time pass and ends after so many waits."""

    def __init__(self, rounds: int) -> None:
        self.waited: list[float] = []
        self._rounds = rounds

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return len(self.waited) > self._rounds

    def is_set(self) -> bool:
        return len(self.waited) > self._rounds


@pytest.mark.parametrize(
    ("load", "taught"),
    [
        pytest.param(lambda: 0.9, 0, id="busy"),
        pytest.param(lambda: 0.2, 1, id="idle"),
        pytest.param(lambda: None, 1, id="not known"),
    ],
)
def test_a_busy_box_looks_at_nothing(
    vault: SampleVault, clock: StandingClock, load: Callable[[], float | None], taught: int
) -> None:
    waiting_sample(vault)
    teacher = IdleTeacher(
        vault, open_lookers=lambda: [Looker(0.9)], load=load, busy_share=0.5, clock=clock
    )

    worker = threading.Thread(target=teacher.run, args=(Waits(3),))  # its priority stays its own
    worker.start()
    worker.join()

    assert vault.count() == taught


def test_nobody_waits_for_a_look_that_takes_long(vault: SampleVault, clock: StandingClock) -> None:
    looks, is_over = threading.Event(), threading.Event()

    class Slow(Looker):
        def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
            looks.set()
            is_over.wait(60)
            return super().detect(frame, frame_size=frame_size)

    class AtOnce(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - no rests
            return self.is_set()

    waiting_sample(vault)
    stop = AtOnce()
    teacher = IdleTeacher(
        vault, open_lookers=lambda: [Slow(0.9)], load=lambda: None, busy_share=0.5, clock=clock
    )
    worker = threading.Thread(target=teacher.run, args=(stop,))
    worker.start()
    assert looks.wait(10)

    stop.set()
    worker.join(20)

    assert not worker.is_alive()
    is_over.set()


def test_a_network_that_cannot_be_loaded_is_told_to_who_runs_it(
    vault: SampleVault, clock: StandingClock
) -> None:
    def unloadable() -> list[Looker]:
        raise ConfigError("no such file")

    waiting_sample(vault)
    teacher = IdleTeacher(
        vault, open_lookers=unloadable, load=lambda: None, busy_share=0.5, clock=clock
    )

    with pytest.raises(ConfigError, match="no such file"):
        teacher.run(Waits(3))  # type: ignore[arg-type]


def test_readiness_is_written_with_every_value_and_told_in_health(
    tmp_path: Path, vault: SampleVault, clock: StandingClock
) -> None:
    keeper = keeper_of(vault, clock)
    keeper.take(picture())
    keeper.store_waiting(timeout_s=0.0)
    (tmp_path / "learn").mkdir()
    watch = ReadinessWatch(
        tmp_path / "learn", vault, LearnSettings(), clock=clock, sensors=Sensors(tmp_path)
    )

    before = watch.state()
    watch.look()

    state = watch.state()
    assert before is None
    assert state is not None
    assert (state.samples, state.is_ready, state.reasons) == (1, False, ("samples",))
    assert counts(vault) == SampleCounts(labelled=1, technician=0)
    assert '"limit": 75.0' in (tmp_path / "learn" / "readiness.json").read_text()
