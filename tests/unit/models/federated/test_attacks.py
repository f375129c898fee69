"""What bad clients send, and how honest frames are dealt out to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from models.federated.attack_clients import (
    attackers_of,
    best_window,
    deal,
    different_frames,
)
from models.federated.attack_problem import flip_classes
from models.federated.attacks import LIE, Attack, Material, reply_of

pytestmark = pytest.mark.unit

HONEST = np.array([1, -2, 3], dtype=np.float32)
MATERIAL = Material(
    honest=HONEST,
    flipped=np.array([-1, 2, 0], dtype=np.float32),
    stale=np.array([5, 5, 5], dtype=np.float32),
    samples=40,
)


@pytest.mark.parametrize(
    ("attack", "delta", "claimed", "rounds_late"),
    [
        pytest.param(Attack.NONE, [1, -2, 3], 40, 0, id="honest"),
        pytest.param(Attack.NOT_A_NUMBER, [np.nan] * 3, 40, 0, id="not a number"),
        pytest.param(Attack.SIGN_FLIPPED, [-1, 2, -3], 40, 0, id="sign flipped"),
        pytest.param(Attack.SCALED_10, [10, -20, 30], 40, 0, id="ten times as long"),
        pytest.param(Attack.SCALED_100, [100, -200, 300], 40, 0, id="a hundred times as long"),
        pytest.param(Attack.LABEL_FLIPPED, [-1, 2, 0], 40, 0, id="labels flipped"),
        pytest.param(Attack.LYING_COUNT, [1, -2, 3], LIE, 0, id="lies about its samples"),
        pytest.param(Attack.LYING_AND_FLIPPED, [-1, 2, 0], LIE, 0, id="both"),
        pytest.param(Attack.STALE, [5, 5, 5], 40, 1, id="of the round before"),
    ],
)
def test_what_a_bad_client_sends(
    attack: Attack, delta: list[float], claimed: int, rounds_late: int
) -> None:
    reply = reply_of(MATERIAL, attack)

    np.testing.assert_array_equal(reply.delta, np.array(delta, dtype=np.float32))
    assert (reply.claimed_samples, reply.rounds_late) == (claimed, rounds_late)


def test_a_huge_update_is_far_longer_and_repeatable() -> None:
    material = Material(
        honest=np.ones(1000, np.float32), flipped=None, stale=np.zeros(1000, np.float32), samples=1
    )

    first, again = (reply_of(material, Attack.HUGE, seed=3).delta for _ in range(2))

    assert 250 < np.linalg.norm(first) < 400  # about 10 * sqrt(1000) = 316; honest is 31.6
    np.testing.assert_array_equal(first, again)


def test_swapped_classes_keep_their_boxes_and_swap_back() -> None:
    rows = np.array([[2, 0.5, 0.5, 0.1, 0.2], [5, 0.1, 0.1, 0.2, 0.2]])

    swapped = flip_classes(rows)

    assert swapped[:, 0].tolist() == [3, 0]  # car to motorcycle, truck to person
    np.testing.assert_array_equal(flip_classes(swapped), rows)


def cameras(**frames: int) -> dict[str, list[Path]]:
    return {
        name: [Path(f"{name}_{number:03d}.jpg") for number in range(count)]
        for name, count in frames.items()
    }


def test_cameras_with_more_images_get_more_clients() -> None:
    clients = deal(cameras(a=120, b=120, c=110, d=40), most_images=100)

    assert [one.camera for one in clients] == list("aaabbbcccd")
    assert [one.name for one in clients][:2] == ["client-00", "client-01"]
    assert [len(one.images) for one in clients] == [40] * 6 + [37, 37, 36, 40]
    assert len({image for one in clients for image in one.images}) == 390


def test_no_camera_loses_its_only_client_to_the_attackers() -> None:
    clients = deal(cameras(a=120, b=120, c=110, d=40), most_images=100)

    assert attackers_of(clients) == ("client-00", "client-03", "client-06")


@pytest.mark.parametrize(
    "kept", [cameras(a=39), cameras(**{f"c{n}": 10 for n in range(11)})], ids=["few", "many"]
)
def test_data_that_cannot_be_dealt_out_is_refused(kept: dict[str, list[Path]]) -> None:
    with pytest.raises(ConfigError, match="expected at least 40 of at most 10 cameras"):
        deal(kept, most_images=8)


def test_real_frames_come_before_their_variants() -> None:
    names = ["t_1_png_a.jpg", "t_1_png_b.jpg", "t_2_png_c.jpg"]

    chosen = different_frames([Path(name) for name in names])

    assert [path.name for path in chosen] == ["t_1_png_a.jpg", "t_2_png_c.jpg", "t_1_png_b.jpg"]


def test_the_scored_window_is_where_the_boxes_are() -> None:
    picture = np.zeros((100, 300, 3), dtype=np.uint8)
    picture[:, 200:] = 255
    right = [[2, 0.8, 0.5, 0.05, 0.2], [2, 0.9, 0.5, 0.05, 0.2]]  # at 240 and 270 px
    left = [[5, 0.1, 0.5, 0.05, 0.2]]

    window, rows = best_window(picture, np.array([*right, *left]))

    assert window.shape == (100, 100, 3)
    assert window.min() == 255
    np.testing.assert_allclose(rows[:, 1], [0.4, 0.7])
