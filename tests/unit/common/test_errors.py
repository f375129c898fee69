from __future__ import annotations

import pytest

from common.errors import (
    ConfigError,
    ConflictError,
    ItsError,
    NotFoundError,
    TrustError,
    UnreachableError,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (ItsError, 1),
        (ConfigError, 3),
        (TrustError, 4),
        (UnreachableError, 5),
        (NotFoundError, 6),
        (ConflictError, 7),
    ],
)
def test_each_fault_has_its_own_exit_code(error: type[ItsError], exit_code: int) -> None:
    assert error.exit_code == exit_code


def test_an_error_keeps_message_and_hint_apart() -> None:
    error = ConfigError("port is 99999, expected 1 to 65535", hint="edit edge.yaml")

    assert str(error) == "port is 99999, expected 1 to 65535"
    assert error.hint == "edit edge.yaml"


def test_no_documented_code_collides_with_the_parser_or_the_shell() -> None:
    documented = [e for e in ItsError.__subclasses__() if e.__module__ == "common.errors"]
    errors: list[type[ItsError]] = [ItsError, *documented]

    codes = [error.exit_code for error in errors]

    assert len(set(codes)) == len(codes)
    assert 2 not in codes
    assert all(0 < code < 126 for code in codes)
