"""The step that brings federated rounds, up and down on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlmodel import select

from common.rounds import ClientOutcome, ClientVerdict, RoundOutcome, RunPlan, RunState
from coordinator.database import Database
from coordinator.federation.figures_store import FiguresStore
from coordinator.federation.store import RunStore
from coordinator.fleet.tables import SiteRow, TenantRow
from coordinator.schema import differences, migrate, migrate_down

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
PLAN = RunPlan.model_validate(
    {
        "run": "first",
        "created_at": NOON,
        "parent": {"name": "its", "version": "1", "sha256": "0" * 64, "file": "parent.pt"},
        "clients": [{"device": "a", "samples": 9}, {"device": "b", "samples": 9}],
    }
)
OUTCOME = RoundOutcome(
    number=1,
    clients=(
        ClientOutcome(
            device="a", verdict=ClientVerdict.ACCEPTED, weight=1.0, samples=9, train_s=7.5
        ),
        ClientOutcome(
            device="b",
            verdict=ClientVerdict.REFUSED,
            reasons=("not_finite", "too_long"),
            claimed_samples=10**30,
            train_s=8.5,
        ),
    ),
    weights_sha256="1" * 64,
    took_s=12.0,
    map50={"night": 0.25},
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'its.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    database = Database(url)
    yield database
    database.close()


def with_tenant(database: Database) -> None:
    with database.session() as session:
        session.add(TenantRow(id="t", name="Town", created_at=NOON))
        session.flush()
        session.add(SiteRow(id=1, tenant_id="t", slug="elm", name="Elm", created_at=NOON))


def test_the_step_goes_up_and_down_and_leaves_the_rest(database: Database) -> None:
    migrate(database, to="0004")
    with_tenant(database)

    migrate(database)
    with database.session() as session:
        RunStore(session, "t").add(PLAN, now=NOON)
    found = differences(database)
    migrate_down(database, to="0004")

    tables = inspect(database.engine).get_table_names()
    assert found == []
    assert "learning_key" not in tables
    assert not [name for name in tables if name.startswith("federated_")]
    with database.session() as session:
        assert session.exec(select(SiteRow.slug)).one() == "elm"


def test_a_round_is_kept_once_and_comes_back_as_it_was(database: Database) -> None:
    migrate(database)
    with_tenant(database)
    with database.session() as session:
        row = RunStore(session, "t").add(PLAN, now=NOON)
        assert RunStore(session, "t").add_round(row, OUTCOME, now=NOON)

    with database.session() as session:
        store = RunStore(session, "t")
        row = store.run_to_change("first")
        assert not store.add_round(row, OUTCOME, now=NOON)
        (kept,) = store.rounds("first")
        figures = FiguresStore(session, "t").figures()
        times_s = FiguresStore(session, "t").times_s("a")

    told = OUTCOME.clients[1].model_copy(update={"claimed_samples": 2**62})
    assert kept == OUTCOME.model_copy(update={"clients": (OUTCOME.clients[0], told)})
    assert (figures.rounds, figures.rounds_s) == (1, 12.0)
    assert figures.refused == {"not_finite": 1, "too_long": 1}
    assert list(times_s) == [7.5]


def test_a_round_that_was_finished_again_takes_the_place_of_the_first(database: Database) -> None:
    migrate(database)
    with_tenant(database)
    again = OUTCOME.model_copy(update={"weights_sha256": "2" * 64, "clients": OUTCOME.clients[:1]})
    with database.session() as session:
        store = RunStore(session, "t")
        row = store.add(PLAN, now=NOON)
        store.add_round(row, OUTCOME, now=NOON)
        assert store.add_round(row, again, now=NOON)

    with database.session() as session:
        assert RunStore(session, "t").rounds("first") == [again]


def test_every_state_between_is_an_event(database: Database) -> None:
    migrate(database)
    with_tenant(database)
    with database.session() as session:
        store = RunStore(session, "t")
        row = store.add(PLAN, now=NOON)
        store.move(row, RunState.EVALUATED, reason="told", now=NOON)

    with database.session() as session:
        events = RunStore(session, "t").events("first", after=1)

    assert [(e.number, e.detail["state"]) for e in events] == [
        (2, "running"),
        (3, "screened"),
        (4, "evaluated"),
    ]
    assert events[-1].detail["reason"] == "told"


def test_another_tenant_sees_nothing(database: Database) -> None:
    migrate(database)
    with_tenant(database)
    with database.session() as session:
        RunStore(session, "t").add(PLAN, now=NOON)
        other = RunStore(session, "other")
        assert list(other.runs()) == []
        assert list(other.events("first")) == []
