"""What people and boxes do today leaves an entry that names them, and no secret."""

from __future__ import annotations

import json
import os
import pwd
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import ConflictError
from common.rounds import RunPlan, RunState
from common.security import Role
from coordinator.app import create_app
from coordinator.container import CoordinatorContainer
from coordinator.database import Database
from coordinator.database_commands import app as database_app
from coordinator.federation.store import RunStore
from coordinator.fleet.commands import app as fleet_app
from coordinator.fleet.views import TwinWish
from coordinator.reports.store import QuarantineEntry, add_to_quarantine
from coordinator.retention import Kept, keep_house
from coordinator.schema import migrate
from coordinator.security.actors import Actor, ActorKind, acting_as
from coordinator.security.audit_entries import AuditEntry
from coordinator.security.audit_store import WHOLE_DATABASE, newest_entries, still
from coordinator.security.audit_verification import verify_log
from tests.fakes.asgi_client import ask
from tests.fakes.enrolled_box import Box
from tests.fakes.lets_in import lets_in, somebody

pytestmark = pytest.mark.integration

ADDRESS = Actor(kind=ActorKind.ADDRESS, name="192.0.2.7")
ACCOUNT = pwd.getpwuid(os.geteuid()).pw_name


def recorded(database: Database, tenant: str = "city") -> list[AuditEntry]:
    with still(database) as session:
        return newest_entries(session, [tenant], most=100)


def told(entry: AuditEntry) -> dict[str, object]:
    detail: dict[str, object] = json.loads(entry.detail)
    return detail


def test_a_box_from_its_token_to_its_end(container: CoordinatorContainer) -> None:
    box = Box.new()
    token = container.tokens().create("main", hours=1).token
    with acting_as(ADDRESS):
        device = container.enrolment().enrol(box.request(token.secret)).device
        container.enrolment().enrol(box.request(token.secret))
        container.enrolment().renew(device, box.renewal(device))
    wish = TwinWish.model_validate({"cameras": [{"camera": "north"}]})
    container.twins().wish(device, wish)
    container.fleet().retire(device, reason="stolen")

    entries = recorded(container.database())

    assert [(e.action, e.subject, e.actor_kind) for e in entries] == [
        ("token_created", "main", "service"),
        ("device_enrolled", device, "device"),
        ("device_enrolled", device, "device"),
        ("device_renewed", device, "device"),
        ("twin_wished", device, "service"),
        ("device_retired", device, "service"),
    ]
    assert [told(e)["again"] for e in entries[1:3]] == [False, True]
    assert told(entries[1])["address"] == "192.0.2.7"
    assert told(entries[4])["version"] == 1
    assert told(entries[5]) == {"reason": "stolen", "certificates": 3}
    assert token.secret not in repr(entries)
    assert verify_log(container.database()).is_intact


def test_what_is_refused_leaves_no_entry(container: CoordinatorContainer) -> None:
    token = container.tokens().create("main", hours=1).token
    container.enrolment().enrol(Box.new().request(token.secret))

    with pytest.raises(ConflictError):
        container.enrolment().enrol(Box.new().request(token.secret))

    assert [e.action for e in recorded(container.database())] == [
        "token_created",
        "device_enrolled",
    ]


def test_runs_are_stopped_and_resumed_by_somebody(container: CoordinatorContainer) -> None:
    plan = RunPlan.model_validate(
        {
            "run": "first",
            "created_at": datetime(2026, 3, 14, 12, tzinfo=UTC),
            "parent": {"name": "its", "version": "1", "sha256": "0" * 64, "file": "parent.pt"},
            "clients": [{"device": "a", "samples": 9}, {"device": "b", "samples": 9}],
        }
    )
    with container.database().session() as session:
        RunStore(session, "city").add(plan, now=plan.created_at)

    with acting_as(ADDRESS):
        assert container.training().stop("first").state is RunState.FAILED
        container.training().resume("first")

    assert [(e.action, e.subject, e.actor_name) for e in recorded(container.database())] == [
        ("rounds_stopped", "first", "192.0.2.7"),
        ("rounds_resumed", "first", "192.0.2.7"),
    ]


def test_a_request_over_http_is_the_persons(container: CoordinatorContainer) -> None:
    token = container.tokens().create("main", hours=1).token
    device = container.enrolment().enrol(Box.new().request(token.secret)).device
    path = f"/api/v1/devices/{device}/retirement"

    app = lets_in(create_app(container), somebody(Role.TECHNICIAN, name="Tomas Novak"))

    answer = ask(app, "POST", path, json={"reason": "sold"})

    assert answer.status_code == 201
    last = recorded(container.database())[-1]
    assert (last.action, last.actor_kind, last.actor_name) == (
        "device_retired",
        "person",
        "Tomas Novak",
    )


def test_commands_are_known_by_user_and_words(tmp_path: Path) -> None:
    config = tmp_path / "coordinator.yaml"
    config.write_text("data_folder: data\n")
    runner = CliRunner()
    runner.invoke(
        fleet_app,
        ["token", "create", "--site", "main", "--output", str(tmp_path / "t"), "--config",
         str(config)],
    )  # fmt: skip
    runner.invoke(fleet_app, ["keys", "rotate", "--use", "orders", "--config", str(config)])
    database = Database(f"sqlite:///{tmp_path / 'data' / 'coordinator.sqlite'}")

    created, rotated = recorded(database)
    database.close()

    assert created.actor_name.endswith("token create")
    assert (rotated.action, rotated.subject) == ("keys_rotated", "orders")
    assert rotated.actor_name.endswith("keys rotate")
    assert ACCOUNT in rotated.actor_name


def test_backups_and_restores_are_on_record(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    migrate(database)
    file, copy = tmp_path / "backup", f"sqlite:///{tmp_path / 'copy.db'}"

    saved = CliRunner().invoke(database_app, ["backup", str(file), "--database", database_url])

    assert saved.exit_code == 0
    (entry,) = recorded(database, WHOLE_DATABASE)
    assert (entry.action, entry.subject) == ("database_backed_up", str(file))
    assert told(entry) == {"size_bytes": file.stat().st_size}
    if not database.is_postgresql:
        filled = CliRunner().invoke(database_app, ["restore", str(file), "--database", copy])
        restored = Database(copy)
        assert filled.exit_code == 0
        assert recorded(restored, WHOLE_DATABASE)[-1].action == "database_restored"
        restored.close()
    database.close()


def test_a_backup_before_the_step_that_brings_the_log_works(
    database_url: str, tmp_path: Path
) -> None:
    database = Database(database_url)
    migrate(database, to="0006")
    database.close()

    saved = CliRunner().invoke(
        database_app, ["backup", str(tmp_path / "backup"), "--database", database_url]
    )

    assert saved.exit_code == 0
    assert "not on record" in saved.output


def test_history_that_is_dropped_is_on_record(database: Database) -> None:
    now = datetime(2026, 3, 14, 12, tzinfo=UTC)
    kept = Kept(minutes_days=40, quarantine_days=30)
    entry = QuarantineEntry(reason="schema", topic="t", device=None, size_bytes=1, digest="0" * 64)
    with database.session() as session:
        for age in (1, 40):
            add_to_quarantine(session.connection(), [entry], at=now - timedelta(days=age))

    did = keep_house(database, kept, now=now)
    nothing = keep_house(database, kept, now=now)

    (dropped,) = recorded(database, WHOLE_DATABASE)
    assert did.forgotten > nothing.forgotten == 0
    assert (dropped.action, dropped.actor_kind) == ("history_dropped", "service")
    assert told(dropped) == {
        "minutes_days": 40,
        "quarantine_days": 30,
        "dropped": 0,
        "forgotten": did.forgotten,
    }
