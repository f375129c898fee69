"""Verdicts on a drawn street that gets dark, dirty, covered, frozen and knocked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.capture.frames import Frame
from edge.capture.quality import QualityIssue, QualityLimits, QualityValidator, QualityVerdict
from tests.fakes.frames import make_frame

pytestmark = pytest.mark.unit

Image = NDArray[np.uint8]
WIDTH, HEIGHT = 320, 180
STEP_S = 0.5


def canvas() -> Image:
    """A street twice as large as the camera's view: blocks, kerbs and markings."""
    random = np.random.default_rng(3)
    image = np.full((2 * HEIGHT, 2 * WIDTH, 3), 110, dtype=np.uint8)
    for _ in range(220):
        x, y = random.integers(0, 2 * WIDTH), random.integers(0, 2 * HEIGHT)
        size = random.integers(8, 60, 2)
        level = int(random.integers(40, 210))
        cv2.rectangle(image, (x, y), (x + size[0], y + size[1]), (level,) * 3, -1)
    return image


CANVAS = canvas()
PEDESTAL = (10, 10, 10, 0)
NOISE = np.clip(np.random.default_rng(4).normal(10, 3, (8, HEIGHT, WIDTH, 3)), 0, 20).astype(
    np.uint8
)
"""Sensor noise of three levels, on a pedestal of ten that is taken off again."""


def noisy(image: Image, look: int) -> Image:
    return np.asarray(cv2.subtract(cv2.add(image, NOISE[look % 8]), PEDESTAL), dtype=np.uint8)


def street(look: int, *, right_px: int = 0, down_px: int = 0) -> Image:
    """The view at one look: a car on its way, sensor noise, the camera turned by some px."""
    x, y = WIDTH // 2 + right_px, HEIGHT // 2 + down_px
    image = CANVAS[y : y + HEIGHT, x : x + WIDTH].copy()
    car = (look * 20) % WIDTH
    cv2.rectangle(image, (car, 100), (car + 35, 118), (30, 30, 200), -1)
    return noisy(image, look)


def scaled(image: Image, factor: float) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=factor), dtype=np.uint8)


def covered(look: int, level: int = 120) -> Image:
    return noisy(np.full((HEIGHT, WIDTH, 3), level, dtype=np.uint8), look)


def glared(image: Image) -> Image:
    image = image.copy()
    image[:, : WIDTH * 3 // 5] = 255
    return image


Draw = Callable[[int], Image]


def frames(*parts: tuple[float, Draw]) -> Iterable[Frame]:
    """Frames of parts that last so many seconds each, one every half second."""
    look = 0
    for seconds, draw in parts:
        for _ in range(round(seconds / STEP_S)):
            yield make_frame(image=draw(look), captured_s=look * STEP_S)
            look += 1


def verdicts(*parts: tuple[float, Draw]) -> list[QualityVerdict]:
    validator = QualityValidator(QualityLimits())
    return [validator.check(frame) for frame in frames(*parts)]


def changes(seen: Iterable[QualityVerdict]) -> list[set[str]]:
    """The sets of issues in the order in which they came, each once."""
    listed: list[set[str]] = []
    for verdict in seen:
        issues = {issue.value for issue in verdict.issues}
        if not listed or listed[-1] != issues:
            listed.append(issues)
    return listed


BAD_PICTURES = [
    pytest.param(lambda i: scaled(street(i), 0.02), "too_dark", id="lamps out"),
    pytest.param(lambda i: glared(street(i)), "too_bright", id="sun in the lens"),
    pytest.param(lambda i: cv2.GaussianBlur(street(i), (0, 0), 3), "blurred", id="out of focus"),
    pytest.param(covered, "blocked", id="sticker on the lens"),
    pytest.param(lambda _: street(40), "frozen", id="recorder repeats one picture"),
    pytest.param(lambda i: street(i, right_px=20), "shifted", id="knocked sideways"),
    pytest.param(lambda i: street(i, down_px=-15), "shifted", id="tilted"),
]


def test_a_good_street_stays_good() -> None:
    assert changes(verdicts((120, street))) == [set()]


@pytest.mark.parametrize(("draw", "issue"), BAD_PICTURES)
def test_an_issue_is_raised_once_and_goes_when_it_is_put_right(draw: Draw, issue: str) -> None:
    seen = changes(verdicts((30, street), (40, draw), (30, street)))

    assert [issues & {issue} for issues in seen if issues & {issue}]
    assert issue not in seen[0] | seen[-1]
    raised = [issue in issues for issues in seen]
    assert sum(a != b for a, b in pairwise(raised)) == 2


@pytest.mark.parametrize(
    ("draw", "issue"), [case for case in BAD_PICTURES if case.values[1] != "too_dark"]
)
def test_no_issue_brings_another_with_it(draw: Draw, issue: str) -> None:
    assert changes(verdicts((30, street), (40, draw), (30, street))) == [set(), {issue}, set()]


@pytest.mark.parametrize(("draw", "issue"), BAD_PICTURES)
def test_a_short_disturbance_is_no_issue(draw: Draw, issue: str) -> None:
    assert changes(verdicts((30, street), (4, draw), (30, street))) == [set()]


@pytest.mark.parametrize(("draw", "issue"), BAD_PICTURES)
def test_a_picture_that_wavers_never_flickers(draw: Draw, issue: str) -> None:
    parts = [(2.0, draw), (2.0, street)] * 20

    assert changes(verdicts((30, street), *parts)) == [set()]


def test_headlights_that_sweep_the_lens_are_not_too_bright() -> None:
    sweeps = [(1.5, lambda i: glared(street(i))), (4.0, street)] * 10

    assert changes(verdicts((30, street), *sweeps)) == [set()]


def dusk(look: int) -> Image:
    """Half as light every minute, from the 60th look on."""
    return scaled(street(look), 0.5 ** (max(0, look - 60) * STEP_S / 60))


def test_nightfall_is_dark_and_not_a_covered_lens() -> None:
    assert changes(verdicts((30 + 6 * 60, dusk))) == [set(), {"too_dark"}]


def test_a_lit_street_at_night_is_good() -> None:
    night = 0.2

    assert changes(verdicts((30 + 2 * 60, dusk), (60, lambda i: scaled(street(i), night)))) == [
        set()
    ]


def test_a_lens_covered_in_the_dark_by_day_is_blocked_too() -> None:
    seen = verdicts((30, street), (30, lambda i: covered(i, level=2)))

    assert seen[-1].issues == {QualityIssue.TOO_DARK, QualityIssue.BLOCKED}


def test_a_lens_that_was_covered_from_the_start_is_noticed() -> None:
    assert changes(verdicts((40, covered))) == [set(), {"blocked"}]


def test_a_camera_out_of_focus_from_the_start_is_noticed() -> None:
    seen = verdicts((40, lambda i: cv2.GaussianBlur(street(i), (0, 0), 3)))

    assert seen[-1].issues == {QualityIssue.BLURRED}


def test_a_camera_turned_to_another_street_is_shifted() -> None:
    other = np.ascontiguousarray(CANVAS[::-1, ::-1][:HEIGHT, :WIDTH])

    seen = verdicts((60, street), (60, lambda i: noisy(other, i)))

    assert seen[-1].issues == {QualityIssue.SHIFTED}


def test_the_shift_is_measured() -> None:
    seen = verdicts((30, street), (10, lambda i: street(i, right_px=16, down_px=-9)))

    # The camera turned right and up, so the scene moved left and down.
    assert seen[-1].shift == pytest.approx((-16 / WIDTH, 9 / HEIGHT), abs=0.004)


def test_a_camera_knocked_while_the_box_was_off_is_noticed() -> None:
    learned = QualityValidator(QualityLimits())
    for frame in frames((30, street)):
        learned.check(frame)

    restarted = QualityValidator(QualityLimits(), reference=learned.reference)
    seen = [restarted.check(frame) for frame in frames((10, lambda i: street(i, right_px=20)))]

    assert seen[-1].issues == {QualityIssue.SHIFTED}


def test_how_long_a_picture_stood_still_is_told() -> None:
    seen = verdicts((10, street), (8.5, lambda _: street(19)))

    assert seen[-1].unchanged_s == 8.5
    assert seen[-1].is_good


def test_a_gap_does_not_count_as_standing_still() -> None:
    validator = QualityValidator(QualityLimits())
    image = street(0)
    validator.check(make_frame(image=image, captured_s=0.0))
    validator.interrupt()

    assert validator.check(make_frame(image=image, captured_s=600.0)).is_good


def test_a_verdict_stands_until_the_next_look() -> None:
    validator = QualityValidator(QualityLimits())

    first = validator.check(make_frame(image=street(0), captured_s=0.0))

    assert validator.check(make_frame(image=covered(0), captured_s=0.49)) is first
    assert validator.check(make_frame(image=covered(0), captured_s=0.5)) is not first


def test_brightness_is_told_between_black_and_white() -> None:
    validator = QualityValidator(QualityLimits())
    white = np.full((HEIGHT, WIDTH, 3), 255, dtype=np.uint8)

    assert validator.check(make_frame(image=white)).brightness == 1.0


def test_a_camera_that_changes_its_shape_is_learned_anew() -> None:
    validator = QualityValidator(QualityLimits())
    for frame in frames((30, street)):
        validator.check(frame)
    upright = np.ascontiguousarray(street(0)[:, :180])

    assert validator.check(make_frame(image=upright, captured_s=31.0)).is_good
    assert validator.reference is None
