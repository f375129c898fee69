"""``security bootstrap``, ``security link`` and ``security user`` → accounts and one-time links.

No password is ever typed on a command line or printed: people choose their own behind a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from common.private_files import write_private
from common.security import Role
from coordinator.config import DEFAULT_CONFIG
from coordinator.container import CoordinatorContainer
from coordinator.fleet.command_line import AsJson, ConfigFile, open_container, show_rows
from coordinator.security.accounts import Accounts
from coordinator.security.links import NewLink

app = typer.Typer(help="People who may sign in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As they sign in.")]
Output = Annotated[
    Path | None, typer.Option(help="Write the link here, mode 0600, and show nothing of it.")
]
SomeRoles = Annotated[list[Role], typer.Option("--role", help="Again for each.")]


def bootstrap(
    config: ConfigFile = DEFAULT_CONFIG,
    name: Annotated[str, typer.Option(help="Name of the first administrator.")] = "admin",
    output: Output = None,
) -> None:
    """Make the link for the first administrator; refused once there is one.

    Open it in a browser within 72 hours, choose a password and set up your phone.
    There is no default password.
    """
    with opened(config) as container:
        show_link(_accounts(container).bootstrap(name), output)


def link(
    user: Annotated[str, typer.Option(help="Who is signed in by it.")],
    config: ConfigFile = DEFAULT_CONFIG,
    output: Output = None,
) -> None:
    """Make a link that signs somebody in without password and code, once, within ten minutes.

    For whoever has a shell on the coordinator, such as when a phone was lost. On record.
    """
    with opened(config) as container:
        show_link(_accounts(container).sign_in_link(user), output)


@app.command()
def add(
    name: Name,
    role: SomeRoles,
    config: ConfigFile = DEFAULT_CONFIG,
    output: Output = None,
) -> None:
    """Add somebody, and make the link through which they choose a password."""
    with opened(config) as container:
        show_link(_accounts(container).add(name, role), output)


@app.command("list")
def list_users(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show everybody, their roles, and when they signed in last."""
    with opened(config) as container:
        rows: list[dict[str, Any]] = [
            {
                "name": one.name,
                "roles": " ".join(sorted(one.roles)),
                "state": one.state,
                "signed_in_at": f"{one.signed_in_at:%Y-%m-%d %H:%M}" if one.signed_in_at else None,
            }
            for one in _accounts(container).list()
        ]
    show_rows(rows, as_json=as_json)


@app.command()
def roles(name: Name, role: SomeRoles, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Exchange somebody's roles for those named; counts at once."""
    with opened(config) as container:
        account = _accounts(container).put_roles(name, role)
    typer.echo(f"{account.name} is {', '.join(sorted(account.roles))}")


@app.command()
def disable(name: Name, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Let somebody in no more; their sessions end at once."""
    with opened(config) as container:
        typer.echo(f"{_accounts(container).disable(name).name} is disabled")


@app.command()
def enable(name: Name, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Let somebody in again, with the password and the phone they had."""
    with opened(config) as container:
        typer.echo(f"{_accounts(container).enable(name).name} is enabled")


@app.command()
def reset(name: Name, config: ConfigFile = DEFAULT_CONFIG, output: Output = None) -> None:
    """Forget somebody's password and phone, and make a link to begin anew."""
    with opened(config) as container:
        show_link(_accounts(container).reset(name), output)


@contextmanager
def opened(config: Path) -> Iterator[CoordinatorContainer]:
    """A container whose keys and tables are there, closed in the end."""
    container = open_container(config)
    try:
        yield container
    finally:
        container.database().close()


def show_link(made: NewLink, output: Path | None) -> None:
    """Print a link, or keep it in a file that nobody else reads."""
    if output is not None:
        write_private(output, f"{made.url}\n".encode())
        typer.echo(f"link for {made.name} in {output}")
    else:
        typer.echo(made.url)
    typer.echo(f"for {made.name}, once, until {made.expires_at:%Y-%m-%d %H:%M} UTC", err=True)


def _accounts(container: CoordinatorContainer) -> Accounts:
    accounts: Accounts = container.people.accounts()
    return accounts
