from __future__ import annotations

import pytest

from common.road_users import COCO_ROAD_USERS, ROAD_USER_INDEX, ROAD_USERS, RoadUser

pytestmark = pytest.mark.unit

# The 80 COCO names that matter here, as every COCO model stores them.
COCO_NAMES = {
    0: "person",
    1: "bicycle",
    2: "car",
    3: "motorcycle",
    4: "airplane",
    5: "bus",
    6: "train",
    7: "truck",
}


def test_the_model_order_is_fixed() -> None:
    assert [str(road_user) for road_user in ROAD_USERS] == [
        "person",
        "bicycle",
        "car",
        "motorcycle",
        "bus",
        "truck",
    ]


def test_index_and_order_agree() -> None:
    assert all(ROAD_USERS[index] is road_user for road_user, index in ROAD_USER_INDEX.items())
    assert len(ROAD_USER_INDEX) == 6


def test_coco_classes_map_to_the_road_user_of_the_same_name() -> None:
    assert {index: COCO_NAMES[index] for index in COCO_ROAD_USERS} == COCO_ROAD_USERS
    assert set(COCO_ROAD_USERS.values()) == set(RoadUser)


@pytest.mark.parametrize(
    ("road_user", "is_vehicle", "is_motorised", "is_ridden"),
    [
        (RoadUser.PERSON, False, False, False),
        (RoadUser.BICYCLE, True, False, True),
        (RoadUser.CAR, True, True, False),
        (RoadUser.MOTORCYCLE, True, True, True),
        (RoadUser.BUS, True, True, False),
        (RoadUser.TRUCK, True, True, False),
    ],
)
def test_each_road_user_knows_its_kind(
    road_user: RoadUser, is_vehicle: bool, is_motorised: bool, is_ridden: bool
) -> None:
    assert road_user.is_vehicle is is_vehicle
    assert road_user.is_motorised is is_motorised
    assert road_user.is_ridden is is_ridden
