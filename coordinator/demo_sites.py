"""A simulated scene → one box in a folder: enrolled, counting a clip, later a live stream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from coordinator.demo_processes import run_command

_LIVE_FPS = 5
"""Three boxes, their renderers and a gate share the cores of one small machine."""
WATCH_S = 8.0
"""So long a box of the demo watches a new model; a box in a street takes ten minutes."""

_LIVE: dict[str, Any] = {
    "health": {"every_s": 1},
    "release": {"watch_s": WATCH_S, "poll_s": 2, "gate_niceness": 0},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSite:
    """One site with one box and one simulated camera.

    Attributes:
        name: Site, folder and table heading.
        scene: What the camera sees.
        is_easy: Whether nothing but a perfect count is acceptable.
    """

    name: str
    scene: str
    is_easy: bool = False


DEMO_SITES = (
    DemoSite(
        name="day",
        scene="simulate:road?seed=1&separated=1&mix=car:8,truck:2,bus:2&duration=40",
        is_easy=True,
    ),
    DemoSite(name="night", scene="simulate:junction?seed=7&light=night&duration=40"),
    DemoSite(name="rain", scene="simulate:junction?seed=3&weather=rain&duration=40"),
)


class DemoBox:
    """A box as a folder on this machine."""

    def __init__(self, site: DemoSite, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.config_file = folder / "edge.yaml"
        self.truth_file = folder / "truth.json"
        self.log_file = folder / "agent.log"
        self._site_file = folder / "site.yaml"

    def set_up(self, coordinator_file: Path, *, port: int, learn: dict[str, Any] | None) -> str:
        """Describe its site, make a token, enrol it; gives the name of the device.

        Args:
            coordinator_file: Configuration of the coordinator.
            port: Where boxes enrol.
            learn: Section of edge.yaml, None for a box that keeps no pictures.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        token_file = self.folder / "token"
        run_command(
            "edge", "simulate", self.site.scene,
            "--site", str(self._site_file), "--truth", str(self.truth_file),
        )  # fmt: skip
        content = yaml.safe_load(self._site_file.read_text(encoding="utf-8"))
        _write(self._site_file, {**content, "site": self.site.name})
        token_file.unlink(missing_ok=True)
        run_command(
            "fleet", "token", "create", "--site", self.site.name,
            "--config", str(coordinator_file), "--output", str(token_file),
        )  # fmt: skip
        told = run_command(
            "edge", "enroll", "--coordinator", f"https://127.0.0.1:{port}", "--token-file",
            str(token_file), "--identity-folder", str(self.folder / "data" / "identity"),
        )  # fmt: skip
        _write(self.config_file, {**self._agent(), **({"learn": learn} if learn else {})})
        # "enrolled as DEVICE of site SITE"
        return told.split()[2]

    def go_live(self) -> None:
        """From now on its camera is a stream without an end, and nothing is kept to learn from."""
        content = yaml.safe_load(self._site_file.read_text(encoding="utf-8"))
        for camera in content["cameras"]:
            camera["source"] = live_source(camera["source"])
        _write(self._site_file, content)
        _write(self.config_file, {**self._agent(), **_LIVE})

    def _agent(self) -> dict[str, Any]:
        # The clock of this machine is taken as it is; a box would ask its time server.
        return {
            "site_file": "site.yaml",
            "data_folder": "data",
            "threads": 1,
            "coordinator": {"clock_is_right": True},
        }


def live_source(scene: str) -> str:
    """The same place as a camera that delivers frame after frame in real time, for ever."""
    place, _, query = scene.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] not in ("duration", "fps")]
    return f"{place}?{'&'.join([*kept, f'fps={_LIVE_FPS}', 'pace=1'])}"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
