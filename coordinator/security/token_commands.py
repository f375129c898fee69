"""``security token`` → service tokens for programs, such as a metrics server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from common.private_files import write_private
from common.security import Permission, Role
from coordinator.config import DEFAULT_CONFIG
from coordinator.fleet.command_line import AsJson, ConfigFile, show_rows
from coordinator.security.service_tokens import MOST_DAYS
from coordinator.security.user_commands import opened

app = typer.Typer(help="Tokens of programs that ask the API.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the program is called.")]


@app.command()
def create(
    name: Name,
    role: Annotated[list[Role], typer.Option("--role", help="Again for each.")],
    scope: Annotated[
        list[Permission] | None,
        typer.Option("--scope", help="Only this of what the roles may; again for each."),
    ] = None,
    days: Annotated[int, typer.Option(help="How long it is good.", min=1, max=MOST_DAYS)] = 90,
    output: Annotated[
        Path | None, typer.Option(help="Write the token here, mode 0600, and show nothing of it.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Make a token; the program sends it as Authorization: Bearer TOKEN.

    It is shown once. No program may manage people or approve models.
    """
    with opened(config) as container:
        made = container.people.service_tokens().create(name, role, scopes=scope or (), days=days)
    if output is not None:
        write_private(output, f"{made.text}\n".encode())
        typer.echo(f"token for {made.name} in {output}")
    else:
        typer.echo(made.text)
    typer.echo(f"may {', '.join(sorted(made.scopes))}", err=True)
    typer.echo(f"good until {made.expires_at:%Y-%m-%d %H:%M} UTC", err=True)


@app.command("list")
def list_tokens(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show tokens and when they were used last; the secrets are not kept."""
    with opened(config) as container:
        now = container.clock().now()
        rows: list[dict[str, Any]] = [
            {
                "name": token.name,
                "state": token.state(now),
                "scopes": " ".join(sorted(token.scopes)),
                "expires_at": f"{token.expires_at:%Y-%m-%d %H:%M}",
                "last_used_at": f"{token.last_used_at:%Y-%m-%d %H:%M}"
                if token.last_used_at
                else None,
            }
            for token in container.people.service_tokens().list()
        ]
    show_rows(rows, as_json=as_json)


@app.command()
def revoke(name: Name, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """End a token; it counts no more from the next request on."""
    with opened(config) as container:
        container.people.service_tokens().revoke(name)
    typer.echo(f"token {name} is revoked")
