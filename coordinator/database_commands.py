"""Command line → tables, history, backups and statistics of the coordinator's database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from common.timing import SystemClock
from coordinator.backup_store import back_up
from coordinator.backup_store import restore as restore_file
from coordinator.condition_store import Condition, condition
from coordinator.condition_store import analyze as renew_statistics
from coordinator.config import DEFAULT_CONFIG, load_config
from coordinator.data_folder import make_data_folder
from coordinator.database import Database
from coordinator.schema import migrate as apply_steps
from coordinator.schema import migrate_down, require_current
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value
from coordinator.security.audit_store import WHOLE_DATABASE, has_audit_log
from coordinator.seeding_store import SeedSettings, seed_history
from coordinator.traffic.periods import zone_of

app = typer.Typer(
    help="Make, look at, fill and keep the coordinator's database.", no_args_is_help=True
)

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The coordinator's configuration (coordinator.yaml).")
]
Address = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="sqlite:////path/file.db or postgresql://user@host/name; "
        "default: what the configuration says.",
    ),
]


@app.command()
def migrate(
    config: ConfigFile = DEFAULT_CONFIG,
    database: Address = None,
    down_to: Annotated[
        str | None,
        typer.Option(help="Take steps back to this one, with what they held; base: all."),
    ] = None,
) -> None:
    """Apply the steps that the database misses, all or none."""
    with _opened(config, database) as opened:
        version = apply_steps(opened) if down_to is None else migrate_down(opened, to=down_to)
    typer.echo(f"database is at version {version.current or 'none'}, newest is {version.newest}")


@app.command()
def status(
    config: ConfigFile = DEFAULT_CONFIG,
    database: Address = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show versions, sizes, partitions and what waits to be summed."""
    with _opened(config, database) as opened:
        found = condition(opened)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
    else:
        Console().print(_table(found))


@app.command()
def seed(
    config: ConfigFile = DEFAULT_CONFIG,
    database: Address = None,
    sites: Annotated[int, typer.Option(min=1, max=100_000, help="Junctions.")] = 3,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Days of minutes.")] = 14,
    first: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Oldest day, UTC; default: ends yesterday."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Owner; default: the configuration's, or simulated.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of the sites, such as Europe/Vienna.")] = "UTC",
    prefix: Annotated[str, typer.Option(help="Begins the names of the sites.")] = "simulated",
    chance: Annotated[int, typer.Option("--seed", help="Another number, other counts.")] = 1,
    sums: Annotated[bool, typer.Option(help="Also make the roll-ups.")] = True,
) -> None:
    """Fill the database with invented minutes of four-armed junctions."""
    zone_of(timezone)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    settings = SeedSettings(
        tenant=tenant or (load_config(config).tenant.id if database is None else "simulated"),
        sites=sites,
        days=days,
        first=first.replace(tzinfo=UTC) if first else today - timedelta(days=days),
        timezone=timezone,
        prefix=prefix,
        seed=chance,
        sums=sums,
    )
    started_s = perf_counter()
    with _opened(config, database) as opened, Progress(transient=True) as progress:
        require_current(opened)
        task = progress.add_task("seeding", total=days)
        rows = seed_history(
            opened, settings, tell=lambda done, _: progress.update(task, completed=done)
        )
    elapsed_s = perf_counter() - started_s
    typer.echo(
        f"stored {rows:,} counts of {sites} sites over {days} days "
        f"in {elapsed_s:,.1f} s ({rows / elapsed_s:,.0f} a second)"
    )


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file.")],
    config: ConfigFile = DEFAULT_CONFIG,
    database: Address = None,
) -> None:
    """Write the whole database to one file; the coordinator may go on."""
    with _opened(config, database) as opened:
        size_bytes = back_up(opened, file)
        with ExitStack() as undo:
            # Nobody has a copy of the history that nobody knows of.
            undo.callback(file.unlink, missing_ok=True)
            told = {"size_bytes": size_bytes}
            _record(opened, Action.DATABASE_BACKED_UP, file, told)
            undo.pop_all()
    typer.echo(f"wrote {file}, {size_bytes / 1e6:,.1f} MB; keep data_folder/keys beside it")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What backup wrote.")],
    config: ConfigFile = DEFAULT_CONFIG,
    database: Address = None,
) -> None:
    """Fill an empty database from a backup."""
    with _opened(config, database) as opened:
        restore_file(opened, file)
        version = condition(opened)
        _record(opened, Action.DATABASE_RESTORED, file, {"schema": version.schema})
    typer.echo(f"restored {file}; database is at version {version.schema or 'none'}")


@app.command()
def analyze(config: ConfigFile = DEFAULT_CONFIG, database: Address = None) -> None:
    """Renew the statistics that plans are made of; after a seed or a restore."""
    with _opened(config, database) as opened:
        renew_statistics(opened)
    typer.echo("statistics are new")


@contextmanager
def _opened(config: Path, address: str | None) -> Iterator[Database]:
    if address is None:
        settings = load_config(config)
        make_data_folder(settings.data_folder)
        address = settings.database_url
    opened = Database(address)
    try:
        yield opened
    finally:
        opened.close()


def _record(database: Database, action: Action, file: Path, told: Mapping[str, Value]) -> None:
    if not has_audit_log(database):
        typer.echo("not on record: the database is older than the audit log", err=True)
        return
    audit = SecurityAuditLogger(tenant=WHOLE_DATABASE, clock=SystemClock())
    with database.session() as session:
        audit.record(session, action, subject=str(file.absolute()), detail=told)


def _table(found: Condition) -> Table:
    table = Table("what", "value", show_header=False)
    table.add_row("server", found.server)
    table.add_row("version", f"{found.schema or 'none'} (newest {found.newest_schema})")
    table.add_row("size", f"{found.size_bytes / 1e6:,.1f} MB")
    table.add_row("bins", f"{found.oldest_bin or '-'} to {found.newest_bin or '-'}")
    for name, rows in found.rows.items():
        table.add_row(f"rows of {name}", f"{rows:,}")
    for name, parts in found.partitions.items():
        table.add_row(f"partitions of {name}", f"{len(parts)}: {parts[0]} to {parts[-1]}")
    if found.kind == "postgresql":
        told = ", ".join(f"{name} {number}" for name, number in found.extensions.items())
        table.add_row("extensions", told or "none that matters; native partitions are used")
    table.add_row("five minutes to be summed", f"{found.rollups_due:,}")
    return table
