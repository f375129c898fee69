"""Gaps: pieces of time without frames, and why."""

from __future__ import annotations

import pytest

from common.errors import UnreachableError
from edge.capture.outages import (
    CameraLostError,
    GapKeeper,
    GapReason,
    StalledError,
    WrongPasswordError,
    WrongStreamError,
    reason_of,
)

pytestmark = pytest.mark.unit


@pytest.fixture
def keeper() -> GapKeeper:
    return GapKeeper(gap_after_s=3.0, piece_s=5.0)


def test_a_late_frame_within_the_limit_is_no_gap(keeper: GapKeeper) -> None:
    assert [keeper.frame(at) for at in (0.1, 0.2, 3.1)] == [None, None, None]


def test_a_longer_hole_between_frames_is_a_gap(keeper: GapKeeper) -> None:
    keeper.frame(1.0)

    assert keeper.frame(4.5) == (1.0, 4.5)


def test_a_long_outage_comes_in_pieces_that_touch(keeper: GapKeeper) -> None:
    keeper.frame(10.0)
    pieces = [keeper.silence(float(now_s)) for now_s in range(11, 26)]
    last = keeper.frame(25.5)

    assert [piece for piece in pieces if piece] == [(10.0, 13.0), (13.0, 18.0), (18.0, 23.0)]
    assert last == (23.0, 25.5)


def test_a_camera_that_never_came_is_a_gap_from_the_start(keeper: GapKeeper) -> None:
    assert keeper.silence(3.0) == (0.0, 3.0)


def test_after_a_gap_frames_are_normal_again(keeper: GapKeeper) -> None:
    keeper.silence(4.0)
    keeper.frame(4.1)

    assert keeper.frame(4.2) is None


def test_a_frame_from_a_time_given_away_as_gap_is_late(keeper: GapKeeper) -> None:
    keeper.silence(4.0)

    assert keeper.is_late(3.9)
    assert not keeper.is_late(4.0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(UnreachableError("no route"), GapReason.OFFLINE, id="no route"),
        pytest.param(StalledError("silent"), GapReason.STALLED, id="silent"),
        pytest.param(WrongPasswordError("401"), GapReason.WRONG_PASSWORD, id="wrong password"),
        pytest.param(WrongStreamError("404"), GapReason.WRONG_SETTING, id="no such stream"),
    ],
)
def test_each_error_of_a_camera_has_its_word(error: CameraLostError, reason: GapReason) -> None:
    assert reason_of(error) is reason
