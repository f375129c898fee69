"""Versions and rollouts over HTTP: who may do what, and what boxes can fetch."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from common.security import Role, SecurityLevel
from coordinator.app import create_app, create_device_app
from coordinator.container import CoordinatorContainer
from tests.fakes.asgi_client import ask
from tests.fakes.lets_in import lets_in, somebody
from tests.fakes.model_city import ModelCity

pytestmark = pytest.mark.integration


def app_for(container: CoordinatorContainer, *roles: Role, **more: Any) -> FastAPI:
    return lets_in(create_app(container), somebody(*roles, **more))


def test_an_engineer_proposes_and_a_second_one_approves(
    city: ModelCity, container: CoordinatorContainer
) -> None:
    device = city.enrol()
    city.in_canary("1.1.0")
    ada = app_for(container, Role.ML_ENGINEER, name="Ada")
    grace = app_for(container, Role.ML_ENGINEER, name="Grace")
    wish = {"version": "1.1.0", "canaries": 1, "limits": {"watch_s": 0}}
    rollout = ask(ada, "POST", "/api/v1/rollouts", json=wish).json()["rollout"]
    city.tick()
    city.obeys(device)
    city.tick()

    proposed = ask(ada, "POST", "/api/v1/models/1.1.0/proposals", json={"stage": "production"})
    assert (proposed.status_code, proposed.json()["proposed_by"]) == (201, "Ada")
    own = ask(ada, "POST", "/api/v1/models/1.1.0/approval")
    assert (own.status_code, "second person" in own.json()["detail"]) == (409, True)
    assert ask(grace, "POST", "/api/v1/models/1.1.0/approval").json()["stage"] == "production"
    city.tick()

    shown = ask(grace, "GET", f"/api/v1/rollouts/{rollout}").json()
    assert (shown["state"], shown["created_by"]) == ("done", "Ada")
    history = ask(grace, "GET", "/api/v1/rollouts/history?version=1.1.0").json()
    assert [run["device"] for run in history] == [device]


def test_an_approval_wants_the_second_factor_shown_just_now(
    city: ModelCity, container: CoordinatorContainer
) -> None:
    city.in_canary("1.1.0")
    stale = app_for(container, Role.ML_ENGINEER, level=SecurityLevel.MULTI_FACTOR)

    assert ask(stale, "POST", "/api/v1/models/1.1.0/approval").status_code == 403
    assert ask(stale, "GET", "/api/v1/models/1.1.0").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/models/1.1.0/proposals", {"stage": "canary"}),
        ("POST", "/api/v1/models/1.1.0/approval", None),
        ("POST", "/api/v1/models/1.1.0/refusal", {"reason": "no"}),
        ("POST", "/api/v1/rollouts", {"version": "1.1.0"}),
        ("POST", "/api/v1/rollouts/1-1-0-aaaa/halt", {"reason": "no"}),
    ],
)
def test_a_viewer_looks_and_changes_nothing(
    container: CoordinatorContainer, method: str, path: str, body: dict[str, str] | None
) -> None:
    viewer = app_for(container, Role.VIEWER)

    assert ask(viewer, method, path, json=body).status_code == 403
    assert ask(viewer, "GET", "/api/v1/models").status_code == 200
    assert ask(viewer, "GET", "/api/v1/rollouts").json() == []


def test_boxes_fetch_signed_files_and_nothing_else(
    city: ModelCity, container: CoordinatorContainer
) -> None:
    city.in_canary("1.1.0")
    app = create_device_app(container)
    metadata = "/releases/metadata"
    artefact = next((container.releases().folder / "targets" / "artefacts").glob("*.onnx"))

    assert ask(app, "GET", f"{metadata}/timestamp.json").json()["signed"]["_type"] == "timestamp"
    assert ask(app, "GET", f"{metadata}/1.root.json").status_code == 200
    path = f"/releases/targets/artefacts/{artefact.name}"
    assert ask(app, "GET", path).content == b"weights of 1.1.0"
    manifest = "/releases/targets/releases/its-tiny/1.1.0.json"
    assert ask(app, "GET", manifest).json()["version"] == "1.1.0"


@pytest.mark.parametrize(
    "path",
    [
        "/releases/metadata/2.root.json",
        "/releases/metadata/..%2f..%2fkeys%2freleases%2fsnapshot.pem",
        "/releases/metadata/.lock",
        "/releases/targets/artefacts/../../../keys/releases/snapshot.pem",
        "/releases/targets/releases/..%2f../1.1.0.json",
        "/releases/targets/releases/its-tiny/9.9.9.json",
    ],
)
def test_what_is_no_release_file_is_not_handed_out(
    city: ModelCity, container: CoordinatorContainer, path: str
) -> None:
    city.in_canary("1.1.0")

    answer = ask(create_device_app(container), "GET", path)

    assert answer.status_code in (404, 422)
    assert b"PRIVATE KEY" not in answer.content
