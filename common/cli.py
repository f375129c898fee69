"""Installed packages → the one command ``its-camera-ai``.

Sub-commands come from the entry points ``its_camera_ai.commands``, so that a box
without the training extra still has every edge command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from common.errors import ItsError
from common.logs import LogLevel, set_up_logs, without_credentials

GROUP = "its_camera_ai.commands"


def build_app() -> typer.Typer:
    """The root command with every installed group of sub-commands."""
    app = typer.Typer(
        name="its-camera-ai",
        help="Traffic cameras become trustworthy counts without a picture leaving the pole.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )

    @app.callback()
    def _root(
        log_level: Annotated[
            LogLevel,
            typer.Option(
                help="Least important event to write.",
                envvar="ITS_LOG_LEVEL",
                case_sensitive=False,
            ),
        ] = LogLevel.WARNING,
        _show_version: Annotated[
            bool,
            typer.Option(
                "--version",
                help="Print the version and stop.",
                is_eager=True,
                callback=_print_version,
            ),
        ] = False,
    ) -> None:
        set_up_logs(level=log_level, as_json=not sys.stderr.isatty())

    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        app.add_typer(entry.load(), name=entry.name)
    return app


def main() -> None:
    """Run the installed command with the arguments of this process."""
    run(build_app())


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> None:
    """Run; an ``ItsError`` becomes one line on stderr and its exit code."""
    try:
        app(args=arguments)
    except ItsError as error:
        sys.stderr.write(f"error: {without_credentials(str(error))}\n")
        if error.hint:
            sys.stderr.write(f"hint: {without_credentials(error.hint)}\n")
        raise SystemExit(error.exit_code) from error


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("its-camera-ai"))
        raise typer.Exit


if __name__ == "__main__":
    main()
