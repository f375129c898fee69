"""Installed packages → the one command ``its-camera-ai``.

Sub-commands come from the entry points ``its_camera_ai.commands``, so that a box
without the training extra still has every edge command.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated

import typer

from common.errors import ConfigError, ItsError
from common.logs import LogLevel, set_up_logs, without_credentials

GROUP = "its_camera_ai.commands"

_EXTRA = "coordinator"
_OURS = ("common", "coordinator", "edge", "models")


def build_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """The root command with the installed groups of sub-commands.

    Args:
        arguments: When they name a group, only that one is loaded: a box must not carry the
            coordinator's libraries in memory, nor wait for them.
    """
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

    entries = sorted(entry_points(group=GROUP), key=lambda e: e.name)
    named = [word for word in arguments if word in {entry.name for entry in entries}][:1]
    for entry in entries:
        if named and entry.name != named[0]:
            continue
        app.add_typer(_loaded(entry, is_wanted=bool(named)), name=entry.name)
    return app


def _loaded(entry: EntryPoint, *, is_wanted: bool) -> typer.Typer:
    """The group of an entry point; where its extra is missing, only a word on that for --help."""
    try:
        group: typer.Typer = entry.load()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OURS:
            raise
        if is_wanted:
            raise ConfigError(
                f"its-camera-ai {entry.name} needs {error.name}, which is not installed",
                hint=f"pip install 'its-camera-ai[{_EXTRA}]'",
            ) from error
        return typer.Typer(help=f"Not installed here; needs the {_EXTRA} extra.")
    return group


def main() -> None:
    """Run the installed command with the arguments of this process."""
    with _faults_told():
        build_app(sys.argv[1:])()


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> None:
    """Run; an ``ItsError`` becomes one line on stderr and its exit code."""
    with _faults_told():
        app(args=arguments)


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
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
