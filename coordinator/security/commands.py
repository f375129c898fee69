"""Command line → the security of the coordinator: for now, what people did."""

from __future__ import annotations

import typer

from coordinator.security import audit_commands

app = typer.Typer(help="Who may do what, and who did what.", no_args_is_help=True)
app.add_typer(audit_commands.app, name="audit")


@app.callback()
def _security() -> None:
    """Keep ``audit`` a word of its own while it is the only one."""
