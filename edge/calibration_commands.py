"""``edge calibration`` → the file that boxes measure a release by, drawn and looked at here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from common.errors import UnreachableError
from common.release.calibration import MOST_FRAMES, calibration_bytes
from edge.container import edge_container
from edge.counting.calibrating import SCENES, calibrate


def calibration(
    out: Annotated[Path, typer.Option(help="File to write (.npz).")],
    model: Annotated[
        str | None, typer.Option(help="The model that is the reference: a path or a name.")
    ] = None,
    scene: Annotated[
        list[str] | None, typer.Option(help="Simulated scenes instead of the usual ones.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, max=MOST_FRAMES, help="How many.")] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw simulated frames with their exact truth, and what the model finds on them."""
    container = edge_container(model=model, backend="onnx")
    found = calibrate(container.engine(), scenes=tuple(scene or SCENES), frames=frames)
    content = calibration_bytes(found)
    try:
        out.write_bytes(content)
    except OSError as error:
        raise UnreachableError(f"{out} cannot be written: {error.strerror}") from error
    told = {
        "file": str(out),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "frames": len(found.frames),
        "truth": sum(len(one.classes) for one in found.truth),
        "reference": sum(len(one.classes) for one in found.reference),
    }
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(
        f"wrote {out}: {told['frames']} frames, {told['truth']} boxes to be found, "
        f"{told['reference']} found ({len(content) / 1e6:.1f} MB)"
    )
