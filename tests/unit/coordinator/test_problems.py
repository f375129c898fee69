import json

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from common.errors import (
    ConfigError,
    ConflictError,
    ItsError,
    NotFoundError,
    TrustError,
    UnreachableError,
)
from coordinator.problems import add_problem_handlers, status_of
from tests.fakes.asgi_client import ask

pytestmark = pytest.mark.unit


class Wish(BaseModel):
    token: int


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("x"), 404),
        (ConflictError("x"), 409),
        (TrustError("x"), 403),
        (ConfigError("x"), 422),
        (UnreachableError("x"), 503),
        (ItsError("x"), 500),
    ],
)
def test_every_fault_has_its_status(error: ItsError, status: int) -> None:
    assert status_of(error) == status


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/fault")
    def fault() -> None:
        raise ConflictError("device is retired", hint="enrol it")

    @app.get("/crash")
    def crash() -> None:
        raise ZeroDivisionError("secret detail")

    @app.post("/wish")
    def wish(body: Wish) -> Wish:
        return body

    return app


def test_a_fault_is_told_with_its_hint(app: FastAPI) -> None:
    answer = ask(app, "GET", "/fault")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Wrong state",
        "status": 409,
        "detail": "device is retired",
        "hint": "enrol it",
        "errors": [],
    }


def test_a_crash_is_told_without_its_details(app: FastAPI) -> None:
    answer = ask(app, "GET", "/crash")

    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_a_request_that_is_not_valid_is_not_repeated_to_its_sender(app: FastAPI) -> None:
    answer = ask(app, "POST", "/wish", json={"token": "its1.secret"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "body.token"
    assert "secret" not in json.dumps(answer.json())


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/wish", 405)])
def test_what_the_framework_refuses_is_a_problem_too(app: FastAPI, path: str, status: int) -> None:
    answer = ask(app, "GET", path)

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
