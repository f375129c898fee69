"""Classes of road user → the one order every model, report and table uses."""

from enum import StrEnum
from types import MappingProxyType

import numpy as np


class RoadUser(StrEnum):
    """What a track is counted as; a rider and the cycle under it are one road user."""

    PERSON = "person"
    BICYCLE = "bicycle"
    CAR = "car"
    MOTORCYCLE = "motorcycle"
    BUS = "bus"
    TRUCK = "truck"

    @property
    def is_vehicle(self) -> bool:
        """True for everything but a person on foot."""
        return self is not RoadUser.PERSON

    @property
    def is_motorised(self) -> bool:
        """True for cars, motorcycles, buses and trucks."""
        return self not in (RoadUser.PERSON, RoadUser.BICYCLE)

    @property
    def has_cab(self) -> bool:
        """True for cars, buses and trucks, which a detector confuses with each other."""
        return self.is_motorised and not self.is_ridden

    @property
    def is_ridden(self) -> bool:
        """True for the two classes on which a person is seen sitting."""
        return self in (RoadUser.BICYCLE, RoadUser.MOTORCYCLE)


ROAD_USERS: tuple[RoadUser, ...] = tuple(RoadUser)
"""Class index → road user, the output order of our models."""

ROAD_USER_INDEX = MappingProxyType({road_user: i for i, road_user in enumerate(ROAD_USERS)})

HAS_CAB = np.array([road_user.has_cab for road_user in ROAD_USERS])
"""``RoadUser.has_cab`` by class index, shape (6,), bool."""

COCO_ROAD_USERS = MappingProxyType(
    {
        0: RoadUser.PERSON,
        1: RoadUser.BICYCLE,
        2: RoadUser.CAR,
        3: RoadUser.MOTORCYCLE,
        5: RoadUser.BUS,
        7: RoadUser.TRUCK,
    }
)
"""Index among the 80 COCO classes → road user; every other COCO class is not ours to count."""
