"""``fleet token`` → one-time tokens as text, file or QR code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import segno
import typer
from pydantic import TypeAdapter, ValidationError

from common.errors import ConfigError
from common.ids import Slug
from common.private_files import write_private
from common.settings_files import explain
from coordinator.config import DEFAULT_CONFIG
from coordinator.fleet.command_line import AsJson, ConfigFile, open_container, show_rows

app = typer.Typer(help="One-time tokens, each for one box.", no_args_is_help=True)


@app.command("create")
def create_token(
    site: Annotated[str, typer.Option(help="Site of the box; made where it does not exist.")],
    config: ConfigFile = DEFAULT_CONFIG,
    replaces: Annotated[
        str | None, typer.Option(help="Box to retire when the new one enrols.")
    ] = None,
    hours: Annotated[float | None, typer.Option(help="How long it is good.", min=0.01)] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the token here, mode 0600, and show nothing of it.")
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Show it as a QR code too.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the site.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin.")] = None,
    latitude: Annotated[float | None, typer.Option(min=-90, max=90)] = None,
    longitude: Annotated[float | None, typer.Option(min=-180, max=180)] = None,
) -> None:
    """Make a token that lets one box in, once.

    Put it into a file of mode 0600 on the box and run there:
    its-camera-ai edge enroll --coordinator URL --token-file FILE
    """
    container = open_container(config)
    settings = container.settings()
    details = {"name": name, "timezone": timezone, "latitude": latitude, "longitude": longitude}
    made = container.tokens().create(
        _slug(site),
        hours=hours or settings.trust.token_hours,
        replaces=replaces,
        details={key: value for key, value in details.items() if value is not None},
    )
    text = made.token.to_text()
    if output is not None:
        write_private(output, f"{text}\n".encode())
        typer.echo(f"token for site {made.site} in {output}")
    else:
        typer.echo(text)
    if qr:
        segno.make(text, error="m").terminal(out=sys.stdout, compact=True)
    typer.echo(f"coordinator {settings.devices.url}", err=True)
    typer.echo(f"trust anchor {made.token.trust_fingerprint}", err=True)
    typer.echo(f"good for one box until {made.expires_at:%Y-%m-%d %H:%M} UTC", err=True)


@app.command("list")
def list_tokens(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show tokens and who used them; the secrets are not kept."""
    container = open_container(config)
    tokens = container.tokens().list()
    now = container.clock().now()
    rows: list[dict[str, Any]] = []
    for token in tokens:
        state = "used" if token.used_at else "open" if token.is_open(now) else "expired"
        rows.append(
            {
                "id": token.id,
                "site": token.site,
                "state": state,
                "used_by": token.used_by,
                "replaces": token.replaces,
                "expires_at": token.expires_at.isoformat(timespec="minutes"),
            }
        )
    show_rows(rows, as_json=as_json)


@app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="Its id, as list shows it.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """End a token that nobody used yet: one that was lost, or sent to the wrong person."""
    ended = open_container(config).tokens().revoke(token)
    typer.echo(f"token {ended.id} for site {ended.site} lets nobody in any more")


def _slug(text: str) -> str:
    try:
        return TypeAdapter(Slug).validate_python(text)
    except ValidationError as error:
        raise ConfigError(f"--site: {explain(error)}") from error
