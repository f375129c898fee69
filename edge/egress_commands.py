"""``edge egress`` → what left this box, and whether the record of it is whole."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from common.errors import NotFoundError, TrustError
from edge.agent_commands import DEFAULT_CONFIG
from edge.anonymise.egress_chain import ChainVerdict, read_entries, verify_chain
from edge.anonymise.egress_entry import EgressEntry
from edge.anonymise.egress_words import in_words, verdict_in_words
from edge.config import load_config

PREVIEWS = "previews"
"""Below the egress folder: live views that were shown on the box."""

app = typer.Typer(help="What left this box, for data protection officers.", no_args_is_help=True)

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The agent's configuration (edge.yaml).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(
    config: ConfigFile = DEFAULT_CONFIG,
    last: Annotated[int, typer.Option(help="How many, newest last; 0: all.", min=0)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what left this box and when, in words; numbers and pictures are not in the log."""
    entries = [entry for folder in _folders(config) for entry in read_entries(folder)]
    entries.sort(key=lambda entry: entry.at)
    chosen = entries[-last:] if last else entries
    if as_json:
        content = [{**entry.to_dict(), "link": entry.link} for entry in chosen]
        sys.stdout.write(json.dumps({"entries": content}, indent=1) + "\n")
        return
    if not chosen:
        typer.echo("nothing has left this box")
        return
    Console().print(_table(chosen))
    if len(chosen) < len(entries):
        typer.echo(f"{len(entries) - len(chosen)} earlier entries: --last 0 shows them all")


@app.command()
def verify(
    config: ConfigFile = DEFAULT_CONFIG,
    head: Annotated[
        str | None,
        typer.Option(
            help="A link that the box told earlier (egress_head of a health report): "
            "nothing up to it may have changed."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no entry was altered, removed or reordered; exit code 4 when one was.

    The check cannot notice somebody who rewrites the whole file, or cuts off its end, with the
    hashes computed anew. --head can: the coordinator keeps the links it was told.
    """
    folders = _folders(config)
    verdicts = {
        folder.name: verify_chain(folder, head=None if folder.name == PREVIEWS else head)
        for folder in folders
    }
    if as_json:
        content = {name: _plain(verdict) for name, verdict in verdicts.items()}
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
    broken = {name: each.fault for name, each in verdicts.items() if not each.is_whole}
    for name, verdict in verdicts.items():
        if not as_json and verdict.is_whole:
            typer.echo("\n".join(verdict_in_words(name, verdict)))
    if broken:
        name, fault = next(islice(broken.items(), 1))
        raise TrustError(
            f"egress log {name!r} is broken: {fault}",
            hint="keep the folder as it is and compare it with the links the coordinator has",
        )


def _folders(config: Path) -> list[Path]:
    """The egress log, and the one of previews once there was one."""
    egress = load_config(config).egress_folder
    found = [folder for folder in (egress, egress / PREVIEWS) if folder.is_dir()]
    if not found:
        raise NotFoundError(
            f"no egress log at {egress}", hint="it begins with the first report that is sent"
        )
    return found


def _plain(verdict: ChainVerdict) -> dict[str, object]:
    return {
        "is_whole": verdict.is_whole,
        "entries": verdict.entries,
        "first_index": verdict.first_index,
        "head": verdict.head,
        "fault": verdict.fault,
        "torn_bytes": verdict.torn_bytes,
    }


def _table(entries: list[EgressEntry]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("what")
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("entry", justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            in_words(entry),
            str(entry.what.size_bytes),
            str(entry.index),
        )
    return table
