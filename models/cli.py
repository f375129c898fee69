"""Command line → the ML bench: train, evaluate, export, benchmark."""

import typer

app = typer.Typer(help="Train, evaluate, export and benchmark the detector.", no_args_is_help=True)
