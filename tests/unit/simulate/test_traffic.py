"""Traffic behaves: nobody overlaps, queues form at red, people cross when they may."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from common.road_users import RoadUser
from edge.simulate.catalogue import mesh_of
from edge.simulate.config import LayoutKind, SceneConfig
from edge.simulate.painter import Pose
from edge.simulate.signals import Signal, SignalProgram
from edge.simulate.traffic import queue_length
from edge.simulate.world import UserState, World

pytestmark = pytest.mark.unit


def _corners(user: UserState) -> np.ndarray:
    pose = Pose(east_m=user.east_m, north_m=user.north_m, heading_rad=user.heading_rad)
    mirrors = 0.2 if user.road_user in (RoadUser.CAR, RoadUser.TRUCK, RoadUser.BUS) else 0.0
    print_m = mesh_of(user.road_user, user.variant, user.phase).footprint_m.copy()
    print_m[:, 1] -= np.sign(print_m[:, 1]) * mirrors
    return pose.place(print_m)[:, :2]


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Separating axis theorem for two rectangles."""
    for corners in (a, b):
        for edge in (corners[1] - corners[0], corners[2] - corners[1]):
            spans = [(c @ edge).min() for c in (a, b)], [(c @ edge).max() for c in (a, b)]
            if spans[1][0] <= spans[0][1] or spans[1][1] <= spans[0][0]:
                return False
    return True


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(
            SceneConfig(layout=LayoutKind.ROAD, seed=5, vehicles_per_min=20), id="dense road"
        ),
        pytest.param(SceneConfig(seed=6, vehicles_per_min=8, pedestrians_per_min=4), id="signals"),
        pytest.param(SceneConfig(seed=7, vehicles_per_min=5, traffic_light=False), id="turns"),
    ],
)
def test_no_two_road_users_are_ever_in_the_same_place(config: SceneConfig) -> None:
    world = World(config)
    touching, seen = [], set()

    for second in range(200):
        users = [(u, _corners(u)) for u in world.at(second * 0.6)]
        seen.update(u.id for u, _ in users if u.road_user.is_vehicle)
        for (u, a), (v, b) in combinations(users, 2):
            near = np.hypot(u.east_m - v.east_m, u.north_m - v.north_m) < 12
            if near and (u.road_user.is_vehicle or v.road_user.is_vehicle) and _overlap(a, b):
                touching.append((second * 0.6, u.id, u.road_user, v.id, v.road_user))

    assert touching == []
    assert len(seen) > 15


def test_a_queue_forms_at_red_and_leaves_at_green() -> None:
    world = World(SceneConfig(seed=6, vehicles_per_min=10, pedestrians_per_min=0))
    longest = {Signal.RED: 0, Signal.GREEN: 0}
    crossed_at_red = []

    for step in range(1200):
        at_s = step / 5
        before = {v.id for v in world.traffic.vehicles if v.route.leg == "south" and v.in_box}
        world.at(at_s)
        signal = world.signal_heads(at_s)["south"]
        if signal in longest:
            longest[signal] = max(longest[signal], queue_length(world.traffic.vehicles, "south"))
        entered = {v.id for v in world.traffic.vehicles if v.route.leg == "south" and v.in_box}
        if signal is Signal.RED and world.signal_heads(max(at_s - 1, 0))["south"] is Signal.RED:
            crossed_at_red += list(entered - before)

    assert longest[Signal.RED] >= 3
    assert crossed_at_red == []
    assert any(v.route.leg == "south" for v in world.traffic.vehicles)


def test_signal_program_gives_each_leg_its_own_green() -> None:
    program = SignalProgram()

    greens = [
        [leg for leg in ("south", "west", "north", "east")
         if program.for_leg(leg, t) is Signal.GREEN]
        for t in (5.0, 21.0, 37.0, 53.0, 66.0)
    ]  # fmt: skip

    assert greens == [["south"], ["west"], ["north"], ["east"], []]
    assert program.cycle_s == 79.0
    assert program.may_start_walking(66.0)
    assert not program.may_start_walking(70.0)


def test_people_only_step_on_the_road_in_their_phase() -> None:
    world = World(SceneConfig(seed=3, pedestrians_per_min=6))
    stepped = []

    on_road: set[int] = set()
    for step in range(1600):
        at_s = step / 10
        world.at(at_s)
        now = {w.id for w in world.walkers.walkers if w.is_on_road}
        assert world.signals is not None
        if now - on_road:
            moments = (at_s, max(at_s - 0.2, 0.0))
            stepped.append(any(world.signals.may_start_walking(t) for t in moments))
        on_road = now

    assert len(stepped) >= 3
    assert all(stepped)


@pytest.mark.slow
def test_minutes_of_traffic_keep_only_who_is_present() -> None:
    world = World(
        SceneConfig(layout=LayoutKind.ROAD, seed=9, vehicles_per_min=9, pedestrians_per_min=1)
    )
    most, last_id = 0, 0

    for second in range(1200):
        users = world.at(float(second))
        most = max(most, len(users))
        last_id = max([last_id, *(u.id for u in users)])

    assert last_id > 150
    assert most < 60


def test_a_separated_road_has_one_vehicle_in_the_counting_area() -> None:
    config = SceneConfig(
        layout=LayoutKind.ROAD, seed=4, separated=True, vehicles_per_min=6, pedestrians_per_min=0
    )
    world = World(config)
    most, seen = 0, set()

    for step in range(1500):
        inside = [u for u in world.at(step / 5) if 6 < u.north_m < 60]
        most = max(most, len(inside))
        seen.update(u.id for u in inside)

    assert most == 1
    assert len(seen) >= 15


def test_asking_for_the_past_is_refused() -> None:
    world = World(SceneConfig())
    world.at(10.0)

    with pytest.raises(ValueError, match="past"):
        world.at(5.0)
