"""Command line → what happens on the box: count, run, doctor, site-preview."""

import typer

app = typer.Typer(
    help="Count road users from a clip, a camera or a simulated junction.", no_args_is_help=True
)
