"""Command line → the security of the coordinator: who may do what, and what people did."""

from __future__ import annotations

import typer

from coordinator.security import audit_commands, token_commands, user_commands

app = typer.Typer(help="Who may do what, and who did what.", no_args_is_help=True)
app.command()(user_commands.bootstrap)
app.command()(user_commands.link)
app.add_typer(user_commands.app, name="user")
app.add_typer(token_commands.app, name="token")
app.add_typer(audit_commands.app, name="audit")
