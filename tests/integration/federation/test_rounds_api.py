"""Federated runs over HTTP and on the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from common.rounds import RunState
from coordinator.app import create_app
from coordinator.container import CoordinatorContainer
from coordinator.federation.commands import app as commands
from coordinator.federation.driving import RunDriver
from coordinator.federation.part import _figures
from coordinator.federation.views import RunWish
from tests.fakes.asgi_client import ask
from tests.fakes.lets_in import lets_in
from tests.integration.federation.conftest import drive

pytestmark = pytest.mark.integration


@pytest.fixture
def ended(
    container: CoordinatorContainer, wish: RunWish, new_driver: Callable[[], RunDriver]
) -> str:
    """A run that became a candidate."""
    container.training().launch(wish)
    drive(container, new_driver(), "first", RunState.CANDIDATE, RunState.FAILED)
    return "first"


def events_of(text: str) -> list[dict[str, str]]:
    blocks = [block.splitlines() for block in text.strip().split("\n\n")]
    return [
        dict(line.split(": ", 1) for line in block if not line.startswith(":")) for block in blocks
    ]


def test_a_run_is_planned_launched_and_stopped(
    container: CoordinatorContainer, wish: RunWish
) -> None:
    app, body = lets_in(create_app(container)), wish.model_dump(mode="json")

    plan = ask(app, "POST", "/api/v1/rounds/plan", json=body)
    launched = ask(app, "POST", "/api/v1/rounds", json=body)
    again = ask(app, "POST", "/api/v1/rounds", json=body)
    listed = ask(app, "GET", "/api/v1/rounds")
    stopped = ask(app, "POST", "/api/v1/rounds/first/stop")
    resumed = ask(app, "POST", "/api/v1/rounds/first/resumption")

    assert (plan.status_code, plan.json()["quorum"]) == (200, 3)
    assert (launched.status_code, launched.json()["state"]) == (201, "planned")
    assert (again.status_code, again.json()["detail"]) == (409, "run 'first' exists already")
    assert [run["run"] for run in listed.json()] == ["first"]
    assert (stopped.status_code, stopped.json()["state"]) == (202, "failed")
    assert (resumed.status_code, resumed.json()["state"]) == (202, "planned")


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"devices": ["nobody"]}, 404, "device 'nobody' is not known"),
        ({"run": "No Slug"}, 422, "run"),
        ({"unknown": 1}, 422, "unknown"),
        ({"quorum": 0}, 422, "quorum"),
        ({}, 409, "0 of 3 boxes can take part"),
    ],
    ids=["stranger", "name", "key", "quorum", "no samples"],
)
def test_a_wish_that_cannot_be_is_told_why(
    container: CoordinatorContainer,
    devices: tuple[str, ...],
    body: dict[str, Any],
    status: int,
    detail: str,
) -> None:
    answer = ask(lets_in(create_app(container)), "POST", "/api/v1/rounds", json=body)

    assert answer.status_code == status
    assert detail in answer.json()["detail"]


def test_rounds_that_are_off_say_so(container: CoordinatorContainer, wish: RunWish) -> None:
    container.settings.override(container.settings().model_copy(update={"federation": None}))
    container.training.reset()
    app = lets_in(create_app(container))

    answer = ask(app, "POST", "/api/v1/rounds", json=wish.model_dump(mode="json"))

    assert (answer.status_code, answer.json()["detail"][:21]) == (422, "federated rounds are ")


def test_a_run_that_is_not_known_is_a_problem(container: CoordinatorContainer) -> None:
    app = lets_in(create_app(container))

    statuses = {
        ask(app, "GET", f"/api/v1/rounds/none{path}").status_code
        for path in ("", "/events", "/verification")
    }

    assert statuses == {404}


@pytest.mark.slow
def test_events_come_in_order_and_end_with_the_run(
    container: CoordinatorContainer, ended: str
) -> None:
    app = lets_in(create_app(container))

    everything = events_of(ask(app, "GET", "/api/v1/rounds/first/events").text)
    rest = events_of(
        ask(app, "GET", "/api/v1/rounds/first/events", headers={"last-event-id": "3"}).text
    )
    shown = ask(app, "GET", "/api/v1/rounds/first").json()
    verified = ask(app, "GET", "/api/v1/rounds/first/verification").json()

    assert [int(event["id"]) for event in everything] == list(range(1, len(everything) + 1))
    assert rest == everything[3:]
    assert [event["event"] for event in everything].count("client") == 6
    assert json.loads(everything[-1]["data"])["detail"]["state"] == "candidate"
    assert (shown["state"], len(shown["finished"]), verified["findings"]) == ("candidate", 2, [])


def test_a_stream_waits_for_what_comes(container: CoordinatorContainer, wish: RunWish) -> None:
    app, manager = lets_in(create_app(container)), container.training()
    manager.launch(wish)

    async def follow() -> str:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            following = asyncio.ensure_future(client.get("/api/v1/rounds/first/events"))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(manager.stop, "first")
            return (await asyncio.wait_for(following, 30)).text

    events = events_of(asyncio.run(follow()))

    assert [json.loads(event["data"])["detail"]["state"] for event in events] == [
        "planned",
        "failed",
    ]


@pytest.mark.slow
def test_figures_tell_of_rounds(container: CoordinatorContainer, ended: str) -> None:
    container.metrics().add_rounds(_figures(container))

    text = container.metrics().text().decode()

    assert 'its_federated_runs{state="candidate"} 1.0' in text
    assert "its_federated_round_seconds_count 2.0" in text


@pytest.fixture
def config(container: CoordinatorContainer, tmp_path: Path) -> Path:
    path = tmp_path / "coordinator.yaml"
    path.write_text(yaml.safe_dump(container.settings().model_dump(mode="json")))
    return path


def run(config: Path, *words: str) -> Any:
    return CliRunner().invoke(commands, [*words, "--config", str(config)])


def test_the_command_line_launches_lists_and_stops(
    config: Path, devices: tuple[str, ...], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("rounds: 3\nstrategy: fedyogi\n")
    boxes = [word for device in devices for word in ("--device", f"{device}=30")]

    dry = run(config, "launch", "--plan", str(plan), *boxes, "--name", "cli", "--dry-run")
    launched = run(config, "launch", "--plan", str(plan), *boxes, "--name", "cli", "--rounds", "4")
    listed = run(config, "list", "--json")
    stopped = run(config, "stop", "cli")
    watched = run(config, "watch", "cli", "--json")

    assert (json.loads(dry.stdout)["rounds"], json.loads(dry.stdout)["strategy"]) == (3, "fedyogi")
    assert launched.stdout.endswith("cli is planned: 4 rounds with 3 boxes\n")
    assert [one["run"] for one in json.loads(listed.stdout)] == ["cli"]
    assert stopped.stdout.endswith("cli is failed\n")
    told = [json.loads(line) for line in watched.stdout.splitlines()]
    assert [event["detail"]["state"] for event in told] == ["planned", "failed"]
    assert watched.exit_code == 1


@pytest.mark.slow
def test_the_command_line_shows_and_verifies(
    config: Path, container: CoordinatorContainer, ended: str
) -> None:
    shown, verified = run(config, "show", ended), run(config, "verify", ended)
    weights = container.settings().federation_folder / "runs/first/global/round-002.f32"
    weights.write_bytes(b"")
    broken = run(config, "verify", ended, "--json")

    assert "first is candidate, round 2 of 2" in shown.stdout
    assert shown.stdout.count("accepted") == 6
    assert (verified.exit_code, "first holds: " in verified.stdout) == (0, True)
    assert broken.exit_code != 0
    assert json.loads(broken.stdout)["holds"] is False
