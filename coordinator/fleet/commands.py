"""Command line → boxes in a list, their end, their twins, and the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from common.errors import ConfigError
from common.settings_files import explain
from coordinator.config import DEFAULT_CONFIG
from coordinator.fleet import token_commands
from coordinator.fleet.command_line import (
    AsJson,
    ConfigFile,
    DeviceId,
    open_container,
    show_rows,
)
from coordinator.fleet.keyring import KeyUse
from coordinator.fleet.states import DeviceState
from coordinator.fleet.views import TwinWish
from coordinator.security.audit_entries import Action

app = typer.Typer(help="Let boxes in, look after them, take them out.", no_args_is_help=True)
twin_app = typer.Typer(help="What a box shall run.", no_args_is_help=True)
keys_app = typer.Typer(help="The keys that reports are sealed to.", no_args_is_help=True)
app.add_typer(token_commands.app, name="token")
app.add_typer(twin_app, name="twin")
app.add_typer(keys_app, name="keys")


@app.command("list")
def list_devices(
    config: ConfigFile = DEFAULT_CONFIG,
    state: Annotated[DeviceState | None, typer.Option(help="Only boxes in this state.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every box."""
    devices = open_container(config).fleet().list(state=state)
    wanted = {"id", "site", "state", "enrolled_at", "last_seen_at", "certificate_expires_at"}
    show_rows([d.model_dump(mode="json", include=wanted) for d in devices], as_json=as_json)


@app.command("show")
def show_device(device: DeviceId, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Show one box with its keys, certificates and newest health report."""
    typer.echo(open_container(config).fleet().show(device).model_dump_json(indent=1))


@app.command("retire")
def retire_device(
    device: DeviceId,
    reason: Annotated[str, typer.Option(help="Why; kept with the box.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Revoke a box's certificates and keys; it is refused within seconds."""
    view = open_container(config).fleet().retire(device, reason=reason)
    typer.echo(f"{view.id} of site {view.site} is {view.state}")


@twin_app.command("get")
def get_twin(device: DeviceId, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Show what a box shall run and what it says that it runs."""
    typer.echo(open_container(config).twins().show(device).model_dump_json(indent=1))


@twin_app.command("set")
def set_twin(
    device: DeviceId,
    wish_file: Annotated[Path, typer.Option("--file", help='JSON: {"cameras": [...]}.')],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Tell a box what to run; a running coordinator sends it within seconds."""
    try:
        wish = TwinWish.model_validate_json(wish_file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{wish_file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{wish_file}: {explain(error)}") from error
    view = open_container(config).twins().wish(device, wish)
    typer.echo(f"{device} shall run version {view.desired_version}")


@keys_app.command("list")
def list_keys(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the calendar of opening and order keys."""
    entries = open_container(config).ring().entries()
    show_rows([entry.model_dump(mode="json") for entry in entries], as_json=as_json)


@keys_app.command("rotate")
def rotate_keys(
    use: Annotated[KeyUse | None, typer.Option(help="Only these; default: both.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Put the next key in effect now.

    Boxes know the next key already. Reports sealed to the old one are opened as long as
    trust.old_key_days says; a running coordinator notices by itself.
    """
    container = open_container(config)
    ring, audit = container.ring(), container.audit()
    for each in [use] if use is not None else list(KeyUse):
        # First on record: a key cannot be put back, an entry can be rolled back.
        with container.database().session() as session:
            told = {"before": ring.in_effect(each).id}
            audit.record(session, Action.KEYS_ROTATED, subject=each.value, detail=told)
            rotated = ring.rotate(each)
        typer.echo(f"{each} key in effect: {rotated.id}")


@keys_app.command("renew-issuing")
def renew_issuing(
    root_key: Annotated[
        Path, typer.Option("--root-key", help="The root's key, where it is kept (mode 0600).")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Let the root certify the issuing key anew, for another five years.

    The key itself stays: boxes, listeners and the revocation list go on, and a running
    coordinator notices by itself. The root's key is only read.
    """
    container = open_container(config)
    authority, audit = container.authority(), container.audit()
    before = authority.ends_at
    with container.database().session() as session:
        told = {"before": before.isoformat()}
        audit.record(session, Action.ISSUING_RENEWED, subject="issuing", detail=told)
        after = authority.renew(root_key)
    typer.echo(f"issuing certificate good until {after:%Y-%m-%d}, before until {before:%Y-%m-%d}")
