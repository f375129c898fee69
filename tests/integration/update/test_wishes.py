"""A signed order → a wish in the record, without a restart where only a model is wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.messages import SectionLayout
from common.orders import DesiredCamera, DesiredConfiguration, DesiredRelease
from common.release_state import SlotName, Step
from common.site import Use
from common.wire import PrivacyMode
from edge.deliver.twin import Twin, TwinBox
from edge.detect.models import find_model
from edge.update.releases import Releases
from tests.fakes.clocks import StandingClock
from tests.fakes.tiny_onnx import write_tiny_onnx

pytestmark = pytest.mark.integration

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SITE = """\
site: elm-and-main
cameras:
  - id: north
    source: rtsp://10.0.0.5/1
    frame_size: [100, 100]
    sections:
      - {name: mid, line: [[10, 10], [90, 90]]}
"""
RELEASE = DesiredRelease(name="its-tiny", version="1.1.0")


class Box:
    """A twin with the releases beside it."""

    def __init__(self, folder: Path) -> None:
        self.site_file = folder / "site.yaml"
        self.site_file.write_text(SITE)
        model = find_model(str(write_tiny_onnx(folder / "its-tiny-1.0.0.onnx")))
        clock = StandingClock(NINE)
        self.releases = Releases(folder / "release", factory=model, clock=clock)
        self.restarts = 0
        parts = TwinBox(
            record_file=folder / "twin.json",
            site_file=self.site_file,
            mode_of=lambda _camera: PrivacyMode.STATISTICS,
            healthy=lambda: frozenset({"north"}),
            restart=self.restart,
            wish_release=self.releases.wish,
        )
        self.twin = Twin(parts, clock=clock, trial_s=300)

    def restart(self) -> None:
        self.restarts += 1


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def order(
    version: int, release: DesiredRelease | None = RELEASE, *, moves_a_line: bool = False
) -> DesiredConfiguration:
    section = SectionLayout(name="mid", use=Use.TRAFFIC, points_px=((20, 20), (80, 80)))
    moved = (DesiredCamera(camera="north", sections=(section,)),)
    return DesiredConfiguration(
        device="box-1",
        version=version,
        at=NINE,
        cameras=moved if moves_a_line else (),
        release=release,
    )


def test_an_order_for_a_model_alone_is_applied_without_a_restart(box: Box) -> None:
    box.twin.desire(order(3))

    assert (box.twin.version, box.twin.state, box.restarts) == (3, "applied", 0)
    assert box.site_file.read_text() == SITE
    assert box.releases.state().step is Step.FETCHING
    assert box.releases.state().wanted_version == "1.1.0"


def test_an_order_for_lines_and_a_model_does_both(box: Box) -> None:
    box.twin.desire(order(3, moves_a_line=True))

    assert box.restarts == 1
    assert box.releases.state().step is Step.FETCHING


def test_an_order_without_a_release_leaves_the_model_as_it_is(box: Box) -> None:
    box.twin.desire(order(3, release=None, moves_a_line=True))

    assert box.releases.state().step is Step.IDLE
    assert not (box.site_file.parent / "release").exists()


def test_an_order_that_is_repeated_after_lines_were_edited_is_one_wish(box: Box) -> None:
    box.twin.desire(order(3))
    before = box.releases.book.record
    box.twin.desire(order(4, moves_a_line=True))

    assert box.releases.book.record.wish == before.wish
    assert box.releases.book.record.seen == 4


def test_a_box_without_wishes_tells_the_model_that_came_with_it(box: Box) -> None:
    state = box.releases.state()

    assert (state.slot, state.active_version, state.step) == (SlotName.FACTORY, "1.0.0", Step.IDLE)
    assert state.since == NINE


def test_a_record_that_is_damaged_means_the_model_that_came_with_the_box(
    box: Box, tmp_path: Path
) -> None:
    box.twin.desire(order(3))
    (tmp_path / "release" / "active.json").write_text('{"active": "a", "slots": {}}')

    model = find_model(str(tmp_path / "its-tiny-1.0.0.onnx"))
    again = Releases(tmp_path / "release", factory=model, clock=StandingClock(NINE))
    again.begin()

    assert again.chosen().slot is SlotName.FACTORY
    assert again.chosen().model == model
