"""Sessions end when they should, and with them everything that was given out for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from common.errors import NotFoundError
from common.security import Role
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.security.audit_store import newest_entries, still
from coordinator.security.sessions import Grade, Opened
from coordinator.security.sign_in import NotSignedInError
from tests.fakes.clocks import StandingClock
from tests.fakes.people import HOME, PASSWORD, SCRIPT, context_of, welcomed
from tests.fakes.recorded_events import recorded_events
from tests.fakes.signed_in import ensure_account, sign_in

pytestmark = pytest.mark.integration


def api_session(container: CoordinatorContainer, name: str = "anna") -> Opened:
    account = ensure_account(container, Role.VIEWER, name=name)
    with container.database().session() as session:
        return container.people.sessions().open(
            session, account.id, SCRIPT, Grade(is_complete=True)
        )


def test_refreshing_gives_the_next_pair_of_the_same_session(
    either: CoordinatorContainer, clock: StandingClock
) -> None:
    first = api_session(either)
    assert first.refresh is not None
    clock.move(240)
    second = either.people.sign_in().refresh(first.refresh, SCRIPT)

    assert second.session_id == first.session_id
    assert second.refresh not in (None, first.refresh)
    assert second.access is not None
    assert second.access != first.access


def test_a_stolen_refresh_token_ends_the_session_of_thief_and_owner(
    either: CoordinatorContainer,
) -> None:
    first = api_session(either)
    assert first.refresh is not None
    second = either.people.sign_in().refresh(first.refresh, SCRIPT)
    assert second.refresh is not None
    with pytest.raises(NotSignedInError):
        either.people.sign_in().refresh(first.refresh, HOME)

    assert context_of(either, second) is None
    with pytest.raises(NotSignedInError):
        either.people.sign_in().refresh(second.refresh, SCRIPT)
    assert ("refresh_reused", "anna", HOME.address) in recorded_events(either)


def test_of_two_who_refresh_at_once_at_most_one_goes_on(either: CoordinatorContainer) -> None:
    first = api_session(either)
    assert first.refresh is not None
    token = first.refresh

    def refresh(_: int) -> bool:
        try:
            either.people.sign_in().refresh(token, SCRIPT)
        except NotSignedInError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(refresh, range(2)))

    assert sorted(results) == [False, True]
    assert context_of(either, first) is None


def test_a_session_ends_after_an_hour_without_a_request(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    opened = api_session(container)
    clock.move(3599)
    with container.database().session() as session:
        container.people.sessions().touch(session, opened.session_id)
    clock.move(3599)

    assert context_of(container, opened) is not None
    clock.move(1)
    assert context_of(container, opened) is None


def test_a_busy_session_ends_after_twelve_hours(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    opened = api_session(container)
    for _ in range(24):
        assert context_of(container, opened) is not None
        with container.database().session() as session:
            container.people.sessions().touch(session, opened.session_id)
        clock.move(1800)

    assert context_of(container, opened) is None


def test_half_a_sign_in_waits_ten_minutes(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    welcomed(container, "anna", Role.VIEWER)
    opened = container.people.sign_in().with_password("anna", PASSWORD, HOME)
    clock.move(599)
    assert context_of(container, opened) is not None
    clock.move(1)

    assert context_of(container, opened) is None


def test_roles_count_from_the_next_request_on(either: CoordinatorContainer) -> None:
    opened = api_session(either)
    either.people.accounts().put_roles("anna", {Role.AUDITOR})

    context = context_of(either, opened)
    assert context is not None
    assert context.roles == {Role.AUDITOR}


def test_disabling_ends_every_session_at_once(either: CoordinatorContainer) -> None:
    opened = [api_session(either), api_session(either)]
    either.people.accounts().disable("anna")
    either.people.accounts().enable("anna")

    assert [context_of(either, one) for one in opened] == [None, None]


def test_people_see_and_end_their_own_sessions_alone(either: CoordinatorContainer) -> None:
    anna = sign_in(either, Role.VIEWER, name="anna").context
    bert = sign_in(either, Role.VIEWER, name="bert").context
    own = either.people.own_account()
    listed = own.sessions(anna)
    with pytest.raises(NotFoundError):
        own.end_session(anna, bert.session_id)
    own.end_session(anna, next(one.id for one in listed if not one.is_this_one))

    assert {one.address for one in listed} == {"127.0.0.1"}
    assert [one.is_this_one for one in own.sessions(anna)] == [True]
    assert len(own.sessions(bert)) == 2


def test_another_password_ends_every_other_session(container: CoordinatorContainer) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    elsewhere = api_session(container)
    context = context_of(container, anna.opened)
    assert context is not None
    ended = container.people.own_account().change_password(
        context, PASSWORD, "seven otters fence with paint", HOME
    )

    assert ended == 1
    assert context_of(container, elsewhere) is None
    assert context_of(container, anna.opened) is not None
    with pytest.raises(NotSignedInError):
        container.people.sign_in().with_password("anna", PASSWORD, HOME)


def test_another_tenant_sees_nothing_of_it(either: CoordinatorContainer) -> None:
    anna = sign_in(either, Role.ADMIN, name="anna")
    settings = either.settings()
    tenant = settings.tenant.model_copy(update={"id": "elsewhere"})
    other = coordinator_container(settings.model_copy(update={"tenant": tenant}))
    with other.database().session() as session:
        held = other.people.sessions().held(session, anna.context.session_id)

    assert held is None
    assert other.people.accounts().list() == []
    with pytest.raises(NotFoundError):
        other.people.accounts().named("anna")
    other.database().close()


def test_neither_database_nor_log_holds_a_secret(
    container: CoordinatorContainer, clock: StandingClock
) -> None:
    link = container.people.accounts().add("bert", {Role.VIEWER})
    anna = welcomed(container, "anna", Role.VIEWER)
    api = api_session(container)
    token = container.people.service_tokens().create("metrics", {Role.VIEWER}, days=1)
    assert anna.opened.cookie is not None
    assert api.refresh is not None
    secrets = [
        PASSWORD,
        anna.phone.seed,
        *anna.recovery_codes,
        anna.opened.cookie.partition(".")[2],
        api.refresh,
        token.text,
        link.url.partition("=")[2],
    ]
    database = container.database()
    with still(database) as session:
        log = " ".join(repr(entry) for entry in newest_entries(session, ["city"], most=999))
    database.close()
    folder = container.settings().data_folder
    stored = b"".join(file.read_bytes() for file in folder.glob("coordinator.sqlite*"))

    assert "account_added" in log
    assert [secret for secret in secrets if secret in log or secret.encode() in stored] == []
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.joinpath("keys").iterdir()}
    assert {modes[name] for name in ("access-tokens.pem", "forms.key", "factors.key")} == {0o600}
