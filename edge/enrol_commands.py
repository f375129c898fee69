"""``edge enroll`` → the identity of this box, from a token in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.enrolment import EnrolmentToken
from common.errors import ConfigError
from common.private_files import read_private
from common.timing import SystemClock
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol

DEFAULT_IDENTITY_FOLDER = Path("/var/lib/its/identity")


def enroll(
    coordinator: Annotated[
        str, typer.Option("--coordinator", metavar="URL", help="https://HOST:PORT.")
    ],
    token_file: Annotated[
        Path, typer.Option("--token-file", help="One-time token in a file of mode 0600.")
    ],
    identity_folder: Annotated[
        Path, typer.Option("--identity-folder", help="Where keys and certificates are kept.")
    ] = DEFAULT_IDENTITY_FOLDER,
    again: Annotated[
        bool, typer.Option("--again", help="Give up the identity that this box has.")
    ] = False,
) -> None:
    """Create this box's keys, have them certified, and store the identity.

    The token comes from `its-camera-ai fleet token create`; it is never an argument, which
    every user of the machine could read. If the answer is lost, run the same command again.
    """
    try:
        text = read_private(token_file, what="token file").decode("ascii")
    except UnicodeDecodeError as error:
        raise ConfigError(f"token file {token_file} does not hold a token") from error
    identity = enrol(
        CoordinatorClient(coordinator),
        EnrolmentToken.from_text(text),
        identity_folder,
        clock=SystemClock(),
        again=again,
    )
    typer.echo(f"enrolled as {identity.device} of site {identity.about.site}")
    typer.echo(f"certificate until {identity.certificate.expires_at:%Y-%m-%d %H:%M} UTC")
