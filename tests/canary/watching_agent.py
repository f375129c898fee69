"""``edge run`` with a detector that sees white cars, and notes what a test must know of it.

``python -m tests.canary.watching_agent EDGE_YAML NOTES_FOLDER``: the agent of the product with
its own capture, threads, store and sender. It notes how many frames reached the detector with
the canary in them, and every address that anything in the process connected to.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import typer

from common.cli import run
from common.logs import LogLevel, set_up_logs
from edge.agent_commands import run_agent
from edge.config import load_config
from edge.container import agent_container
from edge.detect.detections import Detections
from edge.detect.engine import Request
from tests.fakes.canary import Canary
from tests.fakes.white_car_engine import WhiteCarEngine

LOOKED_AT_EVERY = 25


class WatchingEngine(WhiteCarEngine):
    """Counts the frames, some of them searched, that hold face and plate."""

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self._notes = notes
        self._canary = Canary()
        self._lock = threading.Lock()
        self._frames = 0

    def detect_batch(self, requests: Sequence[Request]) -> list[Detections]:
        for request in requests:
            with self._lock:
                self._frames += 1
                if self._frames % LOOKED_AT_EVERY == 1:
                    traces = self._canary.traces_in(request.frame.image.tobytes())
                    with (self._notes / "seen").open("a") as file:
                        file.write(f"{request.frame.camera_id}: {', '.join(sorted(traces))}\n")
        return super().detect_batch(requests)


def note_addresses(file: Path) -> None:
    """Write down whom this process connects to, or sends to, from now on."""

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            with file.open("a") as notes:
                notes.write(f"{event} {arguments[-1]}\n")

    sys.addaudithook(note)


def main(config_file: str, notes_folder: str) -> None:
    notes = Path(notes_folder)
    notes.mkdir(exist_ok=True)
    note_addresses(notes / "addresses")
    set_up_logs(level=LogLevel.DEBUG, as_json=True)
    config = load_config(Path(config_file))
    container = agent_container(config)
    container.engine.override(WatchingEngine(notes))
    sys.exit(0 if run_agent(container, config) else 1)


if __name__ == "__main__":
    app = typer.Typer()
    app.command()(main)
    run(app)
