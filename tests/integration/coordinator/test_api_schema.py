"""The API against everything that its own description allows, and much that it does not."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from common.security import Role
from coordinator.app import create_app
from coordinator.config import CoordinatorConfig
from coordinator.container import coordinator_container
from coordinator.setting_up import set_up
from tests.fakes.signed_in import program

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HEADERS = {"Host": "127.0.0.1"}


@pytest.fixture(scope="module")
def api_schema() -> Any:
    folder = Path(tempfile.mkdtemp(prefix="its-api-"))
    container = coordinator_container(CoordinatorConfig(data_folder=folder / "data"))
    set_up(container)
    container.tokens().create("main", hours=1)
    app = create_app(container)
    HEADERS.update(program(container, Role.ADMIN))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS)
    # An endless answer.
    return schema.exclude(path="/api/v1/live")


def test_every_answer_is_one_that_is_described(api_schema: Any) -> None:
    operations = [result.ok() for result in api_schema.get_all_operations()]
    faults = [fault for operation in operations for fault in faults_of(operation)]

    assert len(operations) > 30
    assert faults == []


def faults_of(operation: Any) -> list[str]:
    """What a few valid and invalid requests to one route bring to light."""

    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(
            headers=HEADERS,
            checks=(
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ),
        )

    try:
        check()
    except FailureGroup as group:
        return [f"{operation.label}: {fault}" for fault in group.exceptions]
    return []
