"""The API's own description: what each route asks for, for whoever is signed in."""

from __future__ import annotations

import pytest

from common.security import Permission, Role
from coordinator.app import create_app
from coordinator.container import CoordinatorContainer
from tests.fakes.asgi_client import ask
from tests.fakes.signed_in import client_of, program

pytestmark = pytest.mark.integration


def test_the_document_names_permissions_and_refusals(container: CoordinatorContainer) -> None:
    client = client_of(container, create_app(container), Role.VIEWER)

    document = client.get("/openapi.json").json()

    move = document["paths"]["/api/v1/alerts/{alert}/state"]["post"]
    sign_in = document["paths"]["/api/v1/session"]["post"]
    retire = document["paths"]["/api/v1/devices/{device_id}/retirement"]["post"]
    assert (move["x-permission"], move["security"]) == ("alerts:manage", [{"bearer": []}])
    assert {"401", "403", "404", "409"} <= move["responses"].keys()
    assert sign_in["security"] == []
    assert retire["x-needs-fresh-code"] is True


def test_the_page_shows_every_route_without_a_script(container: CoordinatorContainer) -> None:
    client = client_of(container, create_app(container), Role.VIEWER)

    page = client.get("/docs", headers={"Accept": "text/html"})

    assert page.status_code == 200
    assert "/api/v1/devices/{device_id}/retirement" in page.text
    assert "alerts:manage" in page.text
    assert "cdn" not in page.text


def test_figures_are_for_programs_with_a_token(container: CoordinatorContainer) -> None:
    app = create_app(container)
    prometheus = program(container, Role.ML_ENGINEER, scopes=(Permission.METRICS_READ,))

    assert ask(app, "GET", "/metrics").status_code == 401
    assert "its_http_requests" in ask(app, "GET", "/metrics", headers=prometheus).text


def test_why_a_part_fails_is_told_to_whoever_may_see_the_fleet(
    container: CoordinatorContainer,
) -> None:
    app, headers = create_app(container), program(container, Role.VIEWER)

    class Ended:
        is_alive = True

        def start(self) -> None:
            """Nothing runs."""

        def stop(self) -> None:
            """Nothing ran."""

    container.parts().add("ingest-0", Ended(), condition=lambda: "broker at 10.0.0.5 is away")
    stranger = ask(app, "GET", "/health/ready")
    viewer = ask(app, "GET", "/health/ready", headers=headers)

    assert (stranger.status_code, viewer.status_code) == (503, 503)
    assert stranger.json()["parts"]["ingest-0"] == "failing"
    assert viewer.json()["parts"]["ingest-0"] == "broker at 10.0.0.5 is away"
