"""``edge check-site`` → whether a site file holds together, before a box is given it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.site import load_site


def check_site(
    site: Annotated[Path, typer.Argument(metavar="FILE", help="The site file (site.yaml).")],
) -> None:
    """Check a site file without a camera, and say what it counts.

    The exit code is 0, or 3 with the key, the value and what was expected.
    """
    checked = load_site(site)
    for camera in checked.cameras:
        typer.echo(
            f"{camera.id}: {len(camera.sections)} sections, {len(camera.flows)} flows, "
            f"{'calibrated' if camera.calibration else 'not calibrated'}"
        )
