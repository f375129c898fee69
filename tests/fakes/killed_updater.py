"""The updater of a box, killed before every single change that it makes to the disk.

``python -m tests.fakes.killed_updater BOX URL ROOT_FILE VERSION STRIDE``: for the first, second,
third … change below the release folder, a process begins with the same box (``BOX/before``),
works on the wish and kills itself (SIGKILL) right before that change. A second one looks what a
start would count with now, a third one goes on until the wish is settled. One JSON line tells
what each of them left; the last first one finds nothing more to be killed at.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.orders import DesiredConfiguration, DesiredRelease
from common.release.client import ReleaseSource
from common.release_state import GateFigures
from edge.detect.models import ModelFile, find_model
from edge.health import CameraHealth, CameraState
from edge.update.gate_process import GateOrder, Judged
from edge.update.releases import ChosenModel, Releases
from edge.update.settings import ReleaseSettings
from edge.update.updater import Updater, UpdaterParts
from tests.fakes.release_repository import NAME

ORDER = 7
_SETTINGS = ReleaseSettings(watch_s=5, poll_s=1, free_mb=1)
_MOST_RESTARTS = 20
_CHANGES = frozenset(
    {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.symlink"}
)


class HurriedClock:
    """Half a second passes at every look, so that a watch is soon over."""

    def __init__(self) -> None:
        self._s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        self._s += 0.5
        return self._s


class GenerousGate:
    """Lets everything through."""

    def judge(
        self, order: GateOrder, *, is_wanted: Callable[[], bool], on_built: Callable[[], object]
    ) -> Judged:
        on_built()
        assert order.candidate.path.exists()
        assert is_wanted()
        return Judged(figures=GateFigures(match=1.0, f1=0.9, active_f1=0.8))


@dataclass(frozen=True)
class Box:
    """Where a release folder lies and whom it asks."""

    folder: Path
    source: ReleaseSource
    factory: ModelFile
    version: str
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def release(self) -> Path:
        return self.folder / "release"

    def releases(self) -> Releases:
        return Releases(self.release, factory=self.factory, clock=HurriedClock())

    def live(self) -> None:
        """One process of the agent, until the wish is settled and its model counts."""
        releases = self.releases()
        releases.begin()
        # The broker hands the order out again at every connection.
        wanted = DesiredRelease(name=NAME, version=self.version)
        releases.wish(
            DesiredConfiguration(
                device="box-1", version=ORDER, at=datetime.now(UTC), release=wanted
            )
        )
        for _ in range(_MOST_RESTARTS):
            running = releases.chosen()
            self.stop.clear()
            Updater(self._parts(releases, running), _SETTINGS).run(self.stop)
            if _is_settled(releases, running):
                return
        raise AssertionError(f"not settled: {releases.book.record}")

    def look(self) -> dict[str, Any]:
        """What a start counts with."""
        releases = self.releases()
        releases.begin()
        chosen, state = releases.chosen(), releases.state()
        assert find_model(str(chosen.model.path)).sha256 == state.active_sha256
        assert chosen.slot is state.slot
        return {"slot": chosen.slot.value, "version": chosen.model.version, "step": state.step}

    def _parts(self, releases: Releases, running: ChosenModel) -> UpdaterParts:
        def cameras() -> Sequence[CameraHealth]:
            if _is_settled(releases, running):
                self.stop.set()
            return (CameraHealth(camera_id="north", state=CameraState.RUNNING, fps=10.0),)

        return UpdaterParts(
            releases=releases,
            running=running,
            backend="onnx",
            engine_cache=self.folder / "engines",
            source=lambda: self.source,
            cameras=cameras,
            restart=self.stop.set,
            gate=GenerousGate(),
            clock=HurriedClock(),
            look_s=0.0,
        )


def _is_settled(releases: Releases, running: ChosenModel) -> bool:
    record = releases.book.record
    return record.step.is_settled and record.active is running.slot


def kill_before_change(number: int, folder: Path) -> None:
    """From now on this process ends right before its ``number``-th change below ``folder``."""
    counted, below = 0, str(folder)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal counted
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & 0o3
        if (event in _CHANGES or is_write) and below in str(arguments[0]):
            counted += 1
            if counted == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def in_a_process(work: Callable[[], object]) -> tuple[int, Any]:
    """Exit status of a child that did this (minus the signal that ended it), and its result."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        except BaseException:  # noqa: BLE001 - the parent must learn of it
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reading) as pipe:
        return os.waitstatus_to_exitcode(status), json.loads(pipe.read() or "null")


def main(folder: Path, url: str, root: Path, version: str, stride: int) -> None:
    factory = find_model(str(folder / "factory" / f"{NAME}-1.0.0.onnx"))
    source = ReleaseSource(url=url, root=root.read_bytes(), timeout_s=5.0)
    box = Box(folder, source, factory, version)
    for number in range(1, 1000, stride):
        shutil.rmtree(box.release, ignore_errors=True)
        shutil.copytree(folder / "before", box.release)

        def is_cut_off(number: int = number) -> None:
            kill_before_change(number, box.release)
            box.live()

        cut, _ = in_a_process(is_cut_off)
        looked, after_cut = in_a_process(box.look)
        went_on, _ = in_a_process(box.live)
        line = {
            "number": number,
            "codes": [cut, looked, went_on],
            "after_cut": after_cut,
            "end": box.releases().state().model_dump(mode="json"),
            "left": sorted(path.name for path in box.release.iterdir()),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if cut == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
