"""Password, then phone: what lets somebody in, and what does not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.security import Role, SecurityLevel
from coordinator.container import CoordinatorContainer
from coordinator.fleet.attempts import TooManyAttemptsError
from coordinator.security.attempts import SignInPausedError
from coordinator.security.refusals import LevelNeededError
from coordinator.security.sessions import Medium, Visitor
from coordinator.security.sign_in import NotSignedInError
from tests.fakes.clocks import StandingClock
from tests.fakes.people import HOME, PASSWORD, context_of, half_way, welcomed
from tests.fakes.recorded_events import recorded_events
from tests.fakes.signed_in import ensure_account

pytestmark = pytest.mark.integration


def from_address(number: int) -> Visitor:
    return Visitor(address=f"198.51.100.{number}", agent="", medium=Medium.API)


def test_both_steps_let_somebody_in(either: CoordinatorContainer, clock: StandingClock) -> None:
    anna = welcomed(either, "anna", Role.ANALYST)
    clock.move(60)
    first = half_way(either, "anna")
    opened = either.people.sign_in().with_code(first, anna.phone.code(), HOME)

    context = context_of(either, opened)
    assert context is not None
    assert (first.level, context.level) == (SecurityLevel.PASSWORD, SecurityLevel.FRESH)
    assert (context.name, context.roles) == ("anna", {Role.ANALYST})
    assert opened.session_id != first.session_id
    clock.move(600)
    later = context_of(either, opened)
    assert later is not None
    assert later.level is SecurityLevel.MULTI_FACTOR


def test_what_was_held_after_the_first_step_opens_nothing_after_the_second(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    clock.move(60)
    opened = container.people.sign_in().with_password("anna", PASSWORD, HOME)
    first = context_of(container, opened)
    assert first is not None
    container.people.sign_in().with_code(first, anna.phone.code(), HOME)

    assert context_of(container, opened) is None


def test_a_wrong_password_and_an_unknown_name_read_and_cost_the_same(
    container: CoordinatorContainer,
) -> None:
    container.people.passwords.reset_override()
    welcomed(container, "anna", Role.VIEWER)
    spent, said = {}, {}
    for name in ("anna", "nobody", "anna", "nobody"):
        started_s = time.process_time()
        with pytest.raises(NotSignedInError) as refused:
            container.people.sign_in().with_password(name, "not this one, sorry", HOME)
        spent[name] = time.process_time() - started_s
        said[name] = str(refused.value)

    assert said["anna"] == said["nobody"]
    assert 0.4 < spent["nobody"] / spent["anna"] < 2.5


@pytest.mark.parametrize("name", ["anna", "nobody"])
def test_five_wrong_passwords_pause_a_name_whether_or_not_somebody_has_it(
    either: CoordinatorContainer, clock: StandingClock, name: str
) -> None:
    welcomed(either, "anna", Role.VIEWER)
    doors = either.people.sign_in()
    for number in range(5):
        with pytest.raises(NotSignedInError):
            doors.with_password(name, "wrong wrong wrong", from_address(number))
    with pytest.raises(SignInPausedError) as paused:
        doors.with_password(name, PASSWORD, from_address(9))

    assert paused.value.hint.startswith("wait 30 s")
    assert [kind for kind, *_ in recorded_events(either)].count("locked_out") == 1
    clock.move(30)
    if name == "anna":
        assert doors.with_password(name, PASSWORD, from_address(9)).is_complete is False


def test_the_pause_grows_while_guesses_go_on(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    ensure_account(container, Role.VIEWER, name="anna")
    first = container.people.attempts()
    waits = []
    for _ in range(10):
        with container.database().session() as session:
            charge = first.charge(session, "city", "anna")
        waits.append(charge.pause_s)
        clock.move(charge.pause_s)

    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900]


def test_spraying_one_password_over_many_names_is_stopped_by_address(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    doors = container.people.sign_in()
    for number in range(10):
        with pytest.raises(NotSignedInError):
            doors.with_password(f"person-{number}", "Spring is coming 26", from_address(1))
    with pytest.raises(TooManyAttemptsError):
        doors.with_password("person-99", "Spring is coming 26", from_address(1))

    with pytest.raises(NotSignedInError):
        doors.with_password("person-99", "Spring is coming 26", from_address(2))
    failed = [event for event in recorded_events(container) if event[0] == "sign_in_failed"]
    assert len({subject for _, subject, _ in failed}) == 11
    assert not any("person" in subject for _, subject, _ in failed)


def test_a_code_counts_once(either: CoordinatorContainer, clock: StandingClock) -> None:
    anna = welcomed(either, "anna", Role.VIEWER)
    clock.move(60)
    code = anna.phone.code()
    either.people.sign_in().with_code(half_way(either, "anna"), code, HOME)
    again = half_way(either, "anna")

    with pytest.raises(NotSignedInError):
        either.people.sign_in().with_code(again, code, HOME)
    assert ("code_replayed", "anna", HOME.address) in recorded_events(either)


def test_of_two_who_show_the_same_code_at_once_one_gets_in(
    either: CoordinatorContainer, clock: StandingClock
) -> None:
    anna = welcomed(either, "anna", Role.VIEWER)
    clock.move(60)
    code = anna.phone.code()
    contexts = [half_way(either, "anna") for _ in range(3)]

    def show(number: int) -> bool:
        try:
            either.people.sign_in().with_code(contexts[number], code, from_address(number))
        except NotSignedInError:
            return False
        return True

    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(show, range(3)))

    assert sorted(results) == [False, False, True]


@pytest.mark.parametrize(
    ("steps", "is_good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_phone_may_be_half_a_minute_off(
    container: CoordinatorContainer, clock: StandingClock, steps: int, is_good: bool
) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    clock.move(300)
    first = half_way(container, "anna")
    code = anna.phone.code(steps=steps)

    if is_good:
        assert container.people.sign_in().with_code(first, code, HOME).is_complete
    else:
        with pytest.raises(NotSignedInError):
            container.people.sign_in().with_code(first, code, HOME)


def test_a_recovery_code_counts_once(container: CoordinatorContainer) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    lost = anna.recovery_codes[3].upper()
    opened = container.people.sign_in().with_code(half_way(container, "anna"), lost, HOME)
    again = half_way(container, "anna")

    assert opened.is_complete
    with pytest.raises(NotSignedInError):
        container.people.sign_in().with_code(again, lost, HOME)
    assert container.people.own_account().recovery_codes_left(again) == 9


def test_knowing_the_password_gives_no_more_guesses_at_the_code(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    welcomed(container, "anna", Role.VIEWER)
    clock.move(60)
    guesses = 0
    with pytest.raises(SignInPausedError):  # noqa: PT012 - whichever step is put off
        for number in range(20):
            first = half_way(container, "anna", from_address(number))
            with pytest.raises(NotSignedInError):
                container.people.sign_in().with_code(first, "000000", from_address(number))
            guesses += 1

    assert guesses == 5


def test_a_password_alone_exchanges_no_second_factor(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    own = container.people.own_account()
    first = half_way(container, "anna")
    with pytest.raises(LevelNeededError):
        own.begin_factor(first)
    with pytest.raises(LevelNeededError):
        own.confirm_factor(first, "123456", HOME)

    fresh = context_of(container, anna.opened)
    assert fresh is not None
    assert own.begin_factor(fresh).seed != anna.phone.seed
    clock.move(600)
    stale = context_of(container, anna.opened)
    assert stale is not None
    with pytest.raises(LevelNeededError):
        own.begin_factor(stale)


def test_a_disabled_account_is_no_different_from_a_wrong_password(
    container: CoordinatorContainer,
) -> None:
    welcomed(container, "anna", Role.VIEWER)
    container.people.accounts().disable("anna")

    with pytest.raises(NotSignedInError, match="name, password or code is not right"):
        container.people.sign_in().with_password("anna", PASSWORD, HOME)
