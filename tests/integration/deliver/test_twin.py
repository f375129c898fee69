from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from common.messages import SectionLayout
from common.orders import DesiredCamera, DesiredConfiguration
from common.site import Use, load_site
from common.wire import PrivacyMode
from edge.deliver.twin import Twin, TwinBox
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SITE = """\
# drawn by hand
site: elm-and-main
cameras:
  - id: north
    source: rtsp://10.0.0.5/1
    frame_size: [100, 100]
    sections:
      - {name: mid, line: [[10, 10], [90, 90]]}
"""


class Box:
    """What a twin acts on, with a restart that makes another twin."""

    def __init__(self, folder: Path) -> None:
        self.site_file = folder / "site.yaml"
        self.site_file.write_text(SITE)
        self.clock = StandingClock(NINE)
        self.healthy = frozenset({"north"})
        self.restarts = 0
        self.parts = TwinBox(
            record_file=folder / "twin.json",
            site_file=self.site_file,
            mode_of=lambda _camera: PrivacyMode.STATISTICS,
            healthy=lambda: self.healthy,
            restart=self.restart,
        )
        self.twin = self.started()

    def started(self) -> Twin:
        return Twin(self.parts, clock=self.clock, trial_s=300)

    def restart(self) -> None:
        self.restarts += 1
        self.twin = self.started()

    @property
    def line(self) -> object:
        return load_site(self.site_file).cameras[0].sections[0].line

    @property
    def told(self) -> tuple[int, str]:
        return self.twin.version, self.twin.state


def wanted(version: int, x: float = 20) -> DesiredConfiguration:
    section = SectionLayout(name="mid", use=Use.TRAFFIC, points_px=((x, 20), (80, 80)))
    return DesiredConfiguration(
        device="box-1",
        version=version,
        at=NINE,
        cameras=(DesiredCamera(camera="north", sections=(section,)),),
    )


DRAWN, MOVED = ((10, 10), (90, 90)), ((20, 20), (80, 80))


def test_without_orders_nothing_is_touched(tmp_path: Path) -> None:
    box = Box(tmp_path)

    box.twin.watch()

    assert box.told == (0, "none")
    assert box.site_file.read_text() == SITE


def test_an_order_is_in_effect_at_once_and_confirmed_after_the_trial(tmp_path: Path) -> None:
    box = Box(tmp_path)

    box.twin.desire(wanted(3))

    assert (box.line, box.told, box.restarts) == (MOVED, (3, "applied"), 1)
    assert (tmp_path / "site.yaml.before").read_text() == SITE
    box.clock.move(301)
    box.twin.watch()
    box.healthy = frozenset()
    box.clock.move(301)
    box.twin.watch()
    assert (box.line, box.told, box.restarts) == (MOVED, (3, "applied"), 1)


def test_an_order_that_silences_a_camera_is_taken_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.twin.desire(wanted(3))
    box.healthy = frozenset()

    box.clock.move(299)
    box.twin.watch()
    assert box.told == (3, "applied")
    box.clock.move(2)
    box.twin.watch()

    assert box.site_file.read_text() == SITE
    assert (box.told, box.restarts) == ((0, "rolled_back"), 2)
    assert (box.twin.seen, box.twin.reason) == (3, "camera_lost")
    box.twin.desire(wanted(3))
    assert box.restarts == 2


def test_a_camera_that_was_silent_before_does_not_count_against_an_order(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.healthy = frozenset()
    box.twin.desire(wanted(3))

    box.clock.move(301)
    box.twin.watch()

    assert (box.line, box.told) == (MOVED, (3, "applied"))


def test_an_agent_that_keeps_dying_on_an_order_goes_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.twin.desire(wanted(3))

    for _ in range(3):
        box.twin = box.started()
    box.twin.watch()

    assert (box.line, box.told) == (DRAWN, (0, "rolled_back"))
    assert box.twin.reason == "too_many_starts"


def test_of_two_orders_in_one_trial_the_file_before_both_comes_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.twin.desire(wanted(3))
    box.twin.desire(wanted(4, x=30))
    assert box.told == (4, "applied")
    box.healthy = frozenset()

    box.clock.move(301)
    box.twin.watch()

    assert box.site_file.read_text() == SITE
    assert box.told == (0, "rolled_back")


@pytest.mark.parametrize("version", [1, 3], ids=["older", "the same"])
def test_an_order_that_is_played_back_is_not_judged_again(tmp_path: Path, version: int) -> None:
    box = Box(tmp_path)
    box.twin.desire(wanted(3))

    box.twin.desire(wanted(version, x=30))

    assert (box.line, box.restarts) == (MOVED, 1)


def test_a_refused_order_changes_nothing_and_is_told(tmp_path: Path) -> None:
    box = Box(tmp_path)

    box.twin.desire(wanted(3, x=500))

    assert (box.told, box.restarts) == ((0, "refused"), 0)
    assert (box.twin.seen, box.twin.reason) == (3, "not_valid")
    assert box.site_file.read_text() == SITE
    assert not list(tmp_path.glob("*.wanted"))


def test_a_file_that_a_technician_changed_since_is_not_told_as_the_order(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.twin.desire(wanted(3))

    content = yaml.safe_load(box.site_file.read_text())
    content["cameras"][0]["sections"][0]["line"] = [[0, 0], [50, 50]]
    box.site_file.write_text(yaml.safe_dump(content))

    assert box.twin.version == 0


def test_a_power_cut_before_the_file_was_replaced_has_the_order_judged_again(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path)
    box.twin.desire(wanted(3))
    box.site_file.write_text(SITE)  # as it was when the record was written already

    box.twin = box.started()
    assert box.told == (0, "none")
    box.twin.desire(wanted(3))

    assert (box.line, box.told) == (MOVED, (3, "applied"))


def test_a_camera_that_is_asked_to_tell_less_tells_less(tmp_path: Path) -> None:
    box = Box(tmp_path)

    box.twin.desire(wanted(3))

    assert box.twin.statistics_only == {"north"}
