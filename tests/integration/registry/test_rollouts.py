"""A version on its way to the boxes, with boxes that say what they like."""

from __future__ import annotations

import pytest
from sqlmodel import select

from common.errors import ConflictError, NotFoundError
from common.orders import DesiredCamera, DesiredRelease
from common.release_state import Step
from coordinator.container import CoordinatorContainer
from coordinator.fleet.views import TwinWish
from coordinator.registry.stages import DeploymentStage
from coordinator.rollouts.states import BoxState, RolloutState
from coordinator.rollouts.store import RolloutStore
from coordinator.rollouts.views import LimitsView, RolloutView, RolloutWish
from coordinator.security.audit_entries import Action
from coordinator.security.tables import AuditEntryRow
from tests.fakes.clocks import SkippingClock
from tests.fakes.model_city import FACTORY, ModelCity
from tests.fakes.sealed_candidate import sealed_candidate

pytestmark = pytest.mark.integration

QUICK = LimitsView(most_failed=0.25, least_confirmed=1.0, watch_s=0)


def started(city: ModelCity, **more: object) -> RolloutView:
    wish = RolloutWish(version=city.in_canary(), limits=QUICK, **{"canaries": 1} | more)  # type: ignore[arg-type]
    return city.container.rollouts().start(wish, by="Ada")


def state(city: ModelCity, rollout: str) -> RolloutState:
    return city.container.rollouts().show(rollout).state


def canary_of(city: ModelCity, rollout: str) -> str:
    (canary,) = [b for b in city.container.rollouts().show(rollout).members if b.wave == 0]
    return canary.device


def test_a_good_version_goes_from_one_canary_to_the_whole_fleet(city: ModelCity) -> None:
    boxes = [city.enrol(site) for site in ("elm", "oak", "main", "main")]
    rollout = started(city).rollout
    city.tick()
    canary = canary_of(city, rollout)
    assert [box for box in boxes if city.wished(box)] == [canary]

    city.obeys(canary)
    city.tick()
    assert state(city, rollout) is RolloutState.WAITING
    city.tick()
    assert [box for box in boxes if city.wished(box)] == [canary]
    city.approve()
    for _ in range(3):
        city.tick()
        for box in boxes:
            city.obeys(box)
    city.tick()

    shown = city.container.rollouts().show(rollout)
    assert (shown.state, shown.boxes) == (RolloutState.DONE, {BoxState.CONFIRMED: 4})
    runs = city.container.rollouts().history(version="1.1.0")
    assert {(run.device, run.why) for run in runs} == {(b, f"rollout {rollout}") for b in boxes}


def test_production_stays_closed_until_a_canary_held(city: ModelCity) -> None:
    city.enrol()
    rollout = started(city).rollout
    registry = city.container.registry()

    with pytest.raises(ConflictError, match="no canary rollout of it has held"):
        registry.propose("1.1.0", DeploymentStage.PRODUCTION, by="Ada")
    city.tick()
    city.obeys(canary_of(city, rollout))
    city.tick()

    registry.propose("1.1.0", DeploymentStage.PRODUCTION, by="Ada")
    assert registry.show("1.1.0").canaries == 1


def test_a_version_that_the_canary_refuses_reaches_nobody_else(city: ModelCity) -> None:
    boxes = [city.enrol() for _ in range(3)]
    rollout = started(city).rollout
    city.tick()
    canary = canary_of(city, rollout)

    city.say(canary, FACTORY, Step.REFUSED, wanted="1.1.0", reason="low_f1")
    city.tick()
    city.tick()

    shown = city.container.rollouts().show(rollout)
    assert shown.state is RolloutState.HALTED
    assert shown.reason == "1 of 1 boxes refused it or took it back, 0 may"
    assert {b.device: b.reason for b in shown.members if b.state is BoxState.FAILED} == {
        canary: "low_f1"
    }
    told = {box: city.wished(box) for box in boxes}
    assert told[canary] == DesiredRelease(name="its-tiny", version=FACTORY, attempt=1)
    assert [wish for box, wish in told.items() if box != canary] == [None, None]


def test_a_canary_that_confirms_and_then_falls_back_halts_the_rollout(city: ModelCity) -> None:
    city.enrol()
    rollout = started(city).rollout
    city.tick()
    canary = canary_of(city, rollout)
    city.obeys(canary)
    city.tick()

    city.say(canary, FACTORY, Step.ROLLED_BACK, wanted="1.1.0", reason="camera_lost")
    city.tick()

    assert state(city, rollout) is RolloutState.HALTED
    runs = city.container.rollouts().history(device=canary)
    assert [run.why for run in runs] == [
        "the box took 1.1.0 back: camera_lost",
        f"rollout {rollout}",
        "as it was installed",
    ]


def test_a_box_that_was_away_catches_up_when_it_comes_back(city: ModelCity) -> None:
    boxes = [city.enrol() for _ in range(3)]
    rollout = started(city, waves=(1.0,)).rollout
    city.tick()
    canary = canary_of(city, rollout)
    away = next(box for box in boxes if box != canary)
    city.goes_away(away)
    city.obeys(canary)
    city.tick()
    city.approve()
    for _ in range(3):
        city.tick()
        for box in boxes:
            if box != away:
                city.obeys(box)
    city.goes_away(away)
    city.tick()
    assert state(city, rollout) is RolloutState.DONE
    assert city.container.rollouts().show(rollout).boxes[BoxState.TOLD] == 1

    city.obeys(away)
    city.tick()

    assert city.container.rollouts().show(rollout).boxes == {BoxState.CONFIRMED: 3}


def test_a_box_that_joins_later_gets_the_version_as_well(city: ModelCity) -> None:
    first = city.enrol()
    rollout = started(city).rollout
    city.tick()
    city.obeys(first)
    city.tick()
    city.approve()
    city.tick()
    assert state(city, rollout) is RolloutState.DONE

    late = city.enrol()
    city.tick()

    assert city.wished(late) == DesiredRelease(name="its-tiny", version="1.1.0", attempt=1)


def test_an_order_that_a_crash_swallowed_is_given_at_the_next_start(
    city: ModelCity, container: CoordinatorContainer
) -> None:
    device = city.enrol()
    started(city)
    city.tick()
    # As after a kill between the step's commit and the wish: the row knows, the twin does not.
    container.twins().wish_release(device, None)
    with container.database().session() as session:
        (box,) = RolloutStore(session, "city").boxes(container.rollouts().list()[0].rollout)
        box.is_wished = False
        session.add(box)

    container.rollout_driver.reset()
    city.tick()

    assert city.wished(device) == DesiredRelease(name="its-tiny", version="1.1.0", attempt=1)


def test_a_wish_about_sections_and_one_about_the_model_leave_each_other_alone(
    city: ModelCity, container: CoordinatorContainer
) -> None:
    device = city.enrol()
    north = DesiredCamera(camera="north")
    container.twins().wish(device, TwinWish(cameras=(north,)))
    started(city)

    city.tick()
    assert container.twins().show(device).cameras == [north]
    container.twins().wish(device, TwinWish(cameras=(DesiredCamera(camera="south"),)))

    assert city.wished(device) == DesiredRelease(name="its-tiny", version="1.1.0", attempt=1)


def test_a_paused_rollout_tells_nobody_until_it_is_resumed(city: ModelCity) -> None:
    device = city.enrol()
    rollout = started(city).rollout
    city.container.rollouts().pause(rollout, by="Ada")

    city.tick()
    assert city.wished(device) is None
    with pytest.raises(ConflictError, match="paused already"):
        city.container.rollouts().pause(rollout, by="Ada")
    city.container.rollouts().resume(rollout, by="Grace")
    city.tick()

    assert city.wished(device) is not None


def test_taking_a_rollout_back_sends_every_box_to_what_it_ran(city: ModelCity) -> None:
    boxes = [city.enrol() for _ in range(2)]
    rollout = started(city, waves=(1.0,)).rollout
    city.tick()
    city.obeys(canary_of(city, rollout))
    city.tick()
    city.approve()
    city.tick()
    for box in boxes:
        city.obeys(box)
    city.tick()

    city.container.rollouts().roll_back(rollout, by="Grace", reason="misses cyclists")
    city.tick()
    for box in boxes:
        city.obeys(box)
    city.tick()

    shown = city.container.rollouts().show(rollout)
    assert (shown.state, shown.reason) == (RolloutState.ROLLED_BACK, "misses cyclists")
    assert {city.wished(box).version for box in boxes} == {FACTORY}  # type: ignore[union-attr]
    newest = [city.container.rollouts().history(device=box)[0] for box in boxes]
    assert {run.version for run in newest} == {FACTORY}
    with pytest.raises(ConflictError, match="taken back already"):
        city.container.rollouts().roll_back(rollout, by="Grace", reason="again")


def test_a_halted_rollout_calls_back_who_has_not_taken_it_yet(city: ModelCity) -> None:
    device = city.enrol()
    rollout = started(city).rollout
    city.tick()
    assert city.wished(device) is not None

    city.container.rollouts().halt(rollout, by="Grace", reason="wrong day")
    city.tick()

    assert city.wished(device) == DesiredRelease(name="its-tiny", version=FACTORY, attempt=1)
    with pytest.raises(ConflictError, match="moves no more"):
        city.container.rollouts().resume(rollout, by="Ada")


def test_an_old_refusal_is_no_answer_to_a_new_attempt(
    city: ModelCity, clock: SkippingClock
) -> None:
    device = city.enrol()
    first = started(city).rollout
    city.tick()
    city.say(device, FACTORY, Step.REFUSED, wanted="1.1.0", reason="disk_full")
    city.tick()
    assert state(city, first) is RolloutState.HALTED

    wish = RolloutWish(version="1.1.0", canaries=1, limits=QUICK)
    second = city.container.rollouts().start(wish, by="Ada").rollout
    city.tick()
    city.tick()

    assert state(city, second) is RolloutState.CANARY
    assert city.wished(device) == DesiredRelease(name="its-tiny", version="1.1.0", attempt=2)
    clock.skip(5)
    city.say(device, FACTORY, Step.REFUSED, wanted="1.1.0", reason="disk_full")
    city.tick()
    assert state(city, second) is RolloutState.HALTED


def test_a_retired_box_leaves_the_rollout(city: ModelCity, container: CoordinatorContainer) -> None:
    boxes = [city.enrol() for _ in range(2)]
    rollout = started(city, canaries=2).rollout
    container.fleet().retire(boxes[0], reason="stolen")

    city.tick()

    states = {b.device: (b.state, b.reason) for b in container.rollouts().show(rollout).members}
    assert states[boxes[0]] == (BoxState.WITHDRAWN, "not_enrolled")
    assert states[boxes[1]][0] is BoxState.TOLD


def test_one_rollout_at_a_time(city: ModelCity) -> None:
    city.enrol()
    started(city)

    with pytest.raises(ConflictError, match="expected one at a time"):
        city.container.rollouts().start(RolloutWish(version="1.1.0"), by="Ada")


@pytest.mark.parametrize("stage", ["development", "staging"])
def test_a_version_that_passed_too_few_gates_does_not_go_out(city: ModelCity, stage: str) -> None:
    city.enrol()
    registry = city.container.registry()
    registry.add(sealed_candidate(city.folder / "candidate"), by="Ada", version="1.1.0")
    if stage == "staging":
        registry.propose("1.1.0", DeploymentStage.STAGING, by="Ada")

    with pytest.raises(ConflictError, match=f"is in {stage}, expected canary or production"):
        city.container.rollouts().start(RolloutWish(version="1.1.0"), by="Ada")


def test_a_named_box_that_nobody_enrolled_is_refused(city: ModelCity) -> None:
    city.enrol()

    with pytest.raises(NotFoundError, match="no enrolled box 'nobody'"):
        started(city, devices=("nobody",))


def test_every_step_is_on_record(city: ModelCity, container: CoordinatorContainer) -> None:
    city.enrol()
    rollout = started(city).rollout
    city.tick()
    container.rollouts().halt(rollout, by="Grace", reason="wrong day")

    events = [(event.kind, event.by) for event in container.rollouts().show(rollout).events]

    assert events == [("planned", "Ada"), ("canary", "rollouts"), ("halted", "Grace")]
    with container.database().session() as session:
        actions = [row.action for row in session.exec(select(AuditEntryRow))]
    assert actions.count(Action.ROLLOUT_STARTED) == 1
    assert actions.count(Action.ROLLOUT_MOVED) == 2
