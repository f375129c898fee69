from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from common.cli import build_app, run
from common.errors import (
    ConfigError,
    ConflictError,
    ItsError,
    NotFoundError,
    TrustError,
    UnreachableError,
)

pytestmark = pytest.mark.unit

RUNNER = CliRunner()


def app_that_raises(error: Exception) -> typer.Typer:
    """An application whose only command fails."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise error

    return app


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def exit_code_of(app: typer.Typer) -> int:
    """What the shell sees after running an application without arguments."""
    with pytest.raises(SystemExit) as caught:
        run(app, [])
    return int(caught.value.code or 0)


def test_help_lists_every_group_of_commands() -> None:
    result = RUNNER.invoke(build_app(), ["--help"])

    assert result.exit_code == 0
    assert "edge" in result.stdout
    assert "ml" in result.stdout
    assert "--log-level" in result.stdout


def test_version_is_the_installed_one() -> None:
    result = RUNNER.invoke(build_app(), ["--version"])

    assert (result.exit_code, result.stdout) == (0, f"{version('its-camera-ai')}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--no-such-option"], id="unknown option"),
        pytest.param(["no-such-command"], id="unknown command"),
        pytest.param(["--log-level", "loud", "edge"], id="unknown log level"),
    ],
)
def test_the_parser_answers_with_exit_code_2(arguments: list[str]) -> None:
    result = RUNNER.invoke(build_app(), arguments)

    assert result.exit_code == 2
    assert arguments[0].lstrip("-") in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "is_written"),
    [
        pytest.param([], {}, False, id="warnings alone unless asked"),
        pytest.param(["--log-level", "info"], {}, True, id="asked by option"),
        pytest.param([], {"ITS_LOG_LEVEL": "INFO"}, True, id="asked by environment"),
    ],
)
def test_logs_start_at_the_level_that_was_asked_for(
    arguments: list[str], environment: dict[str, str], is_written: bool
) -> None:
    app = build_app()

    @app.command()
    def speak() -> None:
        structlog.get_logger().info("word_spoken")

    result = RUNNER.invoke(app, [*arguments, "speak"], env=environment)

    assert result.exit_code == 0
    assert ("word_spoken" in result.stderr) is is_written
    assert result.stdout == ""


def test_an_unknown_log_level_from_the_environment_is_named() -> None:
    result = RUNNER.invoke(build_app(), ["edge", "--help"], env={"ITS_LOG_LEVEL": "loud"})

    assert result.exit_code == 2
    assert "loud" in result.stderr


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (ItsError("a"), 1),
        (ConfigError("a"), 3),
        (TrustError("a"), 4),
        (UnreachableError("a"), 5),
        (NotFoundError("a"), 6),
        (ConflictError("a"), 7),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_fault_becomes_its_exit_code(error: ItsError, exit_code: int) -> None:
    assert exit_code_of(app_that_raises(error)) == exit_code


def test_a_fault_is_one_line_and_a_hint_without_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = UnreachableError("no route to rtsp://u:p@10.0.0.5/1", hint="ping 10.0.0.5 first")

    exit_code_of(app_that_raises(error))

    assert capsys.readouterr().err == (
        "error: no route to rtsp://10.0.0.5/1\nhint: ping 10.0.0.5 first\n"
    )


def test_a_fault_without_hint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(app_that_raises(ConfigError("port is 0")))

    assert capsys.readouterr().err == "error: port is 0\n"


def test_a_bug_is_not_dressed_up_as_a_fault() -> None:
    with pytest.raises(ValueError, match="a bug"):
        run(app_that_raises(ValueError("a bug")), [])


@pytest.mark.integration
def test_the_installed_command_runs() -> None:
    command = Path(sys.executable).with_name("its-camera-ai")

    finished = subprocess.run(
        [command, "--version"], capture_output=True, text=True, timeout=60, check=True
    )

    assert finished.stdout == f"{version('its-camera-ai')}\n"
