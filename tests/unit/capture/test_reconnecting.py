"""How long a lost camera is left alone."""

from __future__ import annotations

import pytest

from edge.capture.reconnecting import BackOff

pytestmark = pytest.mark.unit

BACK_OFF = BackOff(base_s=1.0, cap_s=60.0)


@pytest.mark.parametrize(
    ("failures", "longest_s"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (5000, 60)]
)
def test_waits_double_up_to_a_cap(failures: int, longest_s: float) -> None:
    assert BACK_OFF.wait_s(failures, chance=1.0) == longest_s


def test_jitter_covers_the_whole_time() -> None:
    assert [BACK_OFF.wait_s(4, chance) for chance in (0.0, 0.5, 1.0)] == [0, 4, 8]


def test_a_refused_password_is_never_tried_again_soon() -> None:
    assert [BACK_OFF.refused_wait_s(chance) for chance in (0.0, 1.0)] == [30, 60]
