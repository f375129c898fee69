"""What the demo measures, says and promises of the release that it brings to its boxes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from common.release.calibration import CalibrationSet, frame_boxes
from coordinator.demo import Demo, DemoSite, Story
from coordinator.demo_counting import SiteResult
from coordinator.demo_ending import is_good, show_story
from coordinator.demo_ledger import LedgerRow
from coordinator.demo_people import one_time_code
from coordinator.demo_precision import scores_of
from coordinator.demo_rerelease import counts
from coordinator.demo_rollout import Delivery
from coordinator.demo_sites import live_source

pytestmark = pytest.mark.unit

EASY = DemoSite(name="day", scene="simulate:road?seed=1&duration=40", is_easy=True)
CAR, BUS = 2, 4
BOX = (10.0, 10.0, 50.0, 50.0)
ELSEWHERE = (100.0, 10.0, 140.0, 50.0)


def row(road_user: str, *, true: int, box: int, stored: int | None = None) -> LedgerRow:
    """A row over one line."""
    stored = box if stored is None else stored
    return LedgerRow(row=("near", "right", road_user), true=true, box=box, stored=stored)


def result(*rows: LedgerRow) -> SiteResult:
    """What the easy site came to."""
    return SiteResult(site=EASY, rows=rows, uplink_bytes=9000, watched_s=40)


def delivered(*, state: str = "done", is_again: bool = True, **running: str) -> Delivery:
    """What became of 1.0.1."""
    return Delivery(
        version="1.0.1", state=state, canary="night", running=running, is_again=is_again,
        proposed_by="ada", approved_by="ben", took_s=60,
    )  # fmt: skip


def said(story: Story, folder: Path) -> str:
    """The last table."""
    out = io.StringIO()
    console = Console(file=out, width=160)
    show_story(story, Demo(folder, console, sites=[EASY]), console, folder=folder)
    return out.getvalue()


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        pytest.param(59, "287082", id="the first half minute"),
        pytest.param(1111111109, "081804", id="a code that begins with 0"),
    ],
)
def test_a_demo_phone_shows_the_codes_of_rfc_6238(at_s: int, code: str) -> None:
    assert one_time_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", at_s=at_s) == code


def test_a_live_stream_is_the_same_place_without_an_end() -> None:
    scene = "simulate:road?seed=1&fps=15&mix=car:8,bus:2&duration=40"

    assert live_source(scene) == "simulate:road?seed=1&mix=car:8,bus:2&fps=5&pace=1"


def test_one_too_few_of_a_class_and_one_too_many_of_another_is_a_wrong_class() -> None:
    rows = (row("car", true=5, box=3), row("bus", true=1, box=2), row("truck", true=1, box=1))

    found = counts([result(*rows)])

    assert found["counts"] == [
        {"scene": "day", "true": 7, "missed": 1, "false": 0, "wrong_class": 1}
    ]
    assert found["counts_together"]["missed"] == 1


def test_precision_is_one_where_everything_is_found_and_half_where_half_is() -> None:
    truth = frame_boxes([(BOX, CAR, 1.0), (BOX, BUS, 1.0), (ELSEWHERE, BUS, 1.0)])
    found = frame_boxes([(BOX, CAR, 0.9), (BOX, BUS, 0.8)])
    frames = np.zeros((1, 90, 160, 3), dtype=np.uint8)

    scores = scores_of(CalibrationSet(frames=frames, truth=(truth,), reference=(found,)))

    assert scores["classes"]["car"] == {"map50": 1.0, "map50_95": 1.0, "boxes": 1}
    # Recall 0 to 0.5 of 101 points are reached without a false box.
    assert scores["classes"]["bus"]["map50"] == pytest.approx(51 / 101)
    assert scores["mean"]["boxes"] == 3


def test_a_box_that_lies_elsewhere_is_not_found() -> None:
    truth, found = frame_boxes([(BOX, CAR, 1.0)]), frame_boxes([(ELSEWHERE, CAR, 0.9)])
    frames = np.zeros((1, 90, 160, 3), dtype=np.uint8)

    scores = scores_of(CalibrationSet(frames=frames, truth=(truth,), reference=(found,)))

    assert scores["mean"]["map50"] == 0.0


@pytest.mark.parametrize(
    ("delivery", "good"),
    [
        pytest.param(delivered(night="1.0.1", day="1.0.1"), True, id="everywhere"),
        pytest.param(delivered(night="1.0.1", day="1.0.0"), False, id="same bytes, not everywhere"),
        pytest.param(
            delivered(state="halted", is_again=False, night="1.0.0"), True,
            id="a box may refuse what was trained",
        ),
        pytest.param(None, True, id="nothing was to go out"),
    ],
)  # fmt: skip
def test_a_demo_fails_when_the_same_bytes_do_not_reach_every_box(
    delivery: Delivery | None, good: bool
) -> None:
    story = Story(results=[result(row("car", true=2, box=2))], delivery=delivery)

    assert is_good(story) is good


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(row("car", true=2, box=1), id="the easy scene is counted wrongly"),
        pytest.param(row("car", true=2, box=2, stored=1), id="the database differs"),
    ],
)
def test_a_demo_fails_when_a_number_is_not_the_one_it_must_be(wrong: LedgerRow) -> None:
    assert not is_good(Story(results=[result(wrong)]))


def test_the_last_table_says_that_a_re_release_is_the_same_again(tmp_path: Path) -> None:
    story = Story(
        results=[result(row("car", true=2, box=2))], delivery=delivered(night="1.0.1", day="1.0.1"),
        first_counts_s=24,
    )  # fmt: skip

    words = said(story, tmp_path)

    assert "day 2 road users, exactly" in words
    assert "1 of 1 rows are in the database as counted; 9 kB were sent" in words
    assert "1.0.1, the packaged weights again; proposed by ada, approved by ben" in words
    assert "day 1.0.1, night 1.0.1; night tried it first" in words
    assert "24 s to the first counts" in words
