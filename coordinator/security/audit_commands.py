"""``security audit`` → the log shown, verified and signed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from common.errors import TrustError
from coordinator.config import DEFAULT_CONFIG, load_config
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.fleet.command_line import AsJson, ConfigFile, show_rows
from coordinator.schema import require_current
from coordinator.security.audit_entries import ENTRY_FIELDS
from coordinator.security.audit_store import WHOLE_DATABASE, newest_entries, still
from coordinator.security.audit_verification import AuditVerdict, verify_log
from coordinator.security.checkpoints import read_checkpoints, write_copy

app = typer.Typer(help="What people and boxes did, on a record that shows every edit.",
                  no_args_is_help=True)  # fmt: skip

_MOST_TOLD = 20


@app.command()
def verify(
    config: ConfigFile = DEFAULT_CONFIG,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            help="Also meet the checkpoints of this kept copy; again for each.", exists=True
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Follow every chain from its first entry; exit code 4 names the first that does not hold.

    The end of a log can be cut off, and a log can be written anew, so that its entries still
    follow from each other: only checkpoints that were kept on another machine tell.
    """
    with _opened(config) as container:
        files = [container.checkpoints().file] if container.checkpoints().file.exists() else []
        points = [
            point for file in [*files, *(checkpoint or [])] for point in read_checkpoints(file)
        ]
        key = container.checkpoints().key() if points else None
        verdict = verify_log(container.database(), points, key=key)
    if as_json:
        sys.stdout.write(json.dumps(asdict(verdict), indent=1) + "\n")
    else:
        _tell(verdict)
    if not verdict.is_intact:
        first = verdict.faults[0]
        raise TrustError(
            f"entry {first.number} of the audit log of {first.tenant!r} does not hold: "
            f"{first.reason}",
            hint="somebody changed the database, or its disk is failing; compare with a backup",
        )


@app.command()
def show(
    config: ConfigFile = DEFAULT_CONFIG,
    last: Annotated[int, typer.Option(help="How many, the newest.", min=1, max=100_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who did what, the newest last; nothing is verified."""
    with _opened(config) as container, still(container.database()) as session:
        tenants = [container.settings().tenant.id, WHOLE_DATABASE]
        entries = newest_entries(session, tenants, most=last)
    rows = [{name: getattr(entry, name) for name in ENTRY_FIELDS} for entry in entries]
    if as_json:
        show_rows(rows, as_json=True)
        return
    for entry in entries:
        told = json.loads(entry.detail)
        more = ", ".join(f"{name} {value!r}" for name, value in told.items() if value is not None)
        typer.echo(
            f"{entry.tenant_id} {entry.number}  {entry.at[:19]}Z  {entry.actor_kind} "
            f"{entry.actor_name}: {entry.action} {entry.subject} {more}".rstrip()
        )


@app.command()
def checkpoint(
    config: ConfigFile = DEFAULT_CONFIG,
    output: Annotated[
        Path | None, typer.Option(help="Copy the newest of each chain to this new file.")
    ] = None,
) -> None:
    """Sign how far the log reaches now; keep a copy where nobody of this machine can write.

    A running coordinator does so by itself, after every thousand entries and once a day.
    """
    with _opened(config) as container:
        checkpoints = container.checkpoints()
        made = checkpoints.sign_now()
        if output is not None:
            write_copy(output, read_checkpoints(checkpoints.file))
        key_id = checkpoints.key().key_id
    for point in made:
        typer.echo(f"{point.tenant}: signed up to entry {point.number}")
    if not made:
        typer.echo("nothing is new since the last one")
    typer.echo(f"in {output or checkpoints.file}, signed with key {key_id}")


@contextmanager
def _opened(config: Path) -> Iterator[CoordinatorContainer]:
    """Without making anything: whoever looks at a record leaves it as it is."""
    container = coordinator_container(load_config(config))
    try:
        require_current(container.database())
        yield container
    finally:
        container.database().close()


def _tell(verdict: AuditVerdict) -> None:
    for chain in verdict.chains:
        typer.echo(
            f"{chain.tenant}: {chain.holds.number:,} entries hold, the last of "
            f"{chain.newest_at or 'never'}; {chain.checked} checkpoints met"
        )
    for fault in verdict.faults[:_MOST_TOLD]:
        typer.echo(f"{fault.tenant}: entry {fault.number} does not hold: {fault.reason}")
    if not verdict.chains:
        typer.echo("the log is empty")
    elif not any(chain.checked for chain in verdict.chains):
        typer.echo("no checkpoint was compared: a log that was cut off would not be noticed")
