"""Boxes that have counted → one federated round over them, and what it did to the night camera.

Nothing here is special either: a release key, a signed bundle, three boxes that train on what
they saw, ``rounds launch`` and ``rounds watch``, and the scores that the round itself wrote.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from common.errors import ItsError
from common.release.candidate import LINEAGE_FILE, METRICS_FILE
from common.rounds import CANDIDATE_FOLDER, LEDGER_FILE
from coordinator.demo_processes import run_command, running

RUN = "demo"
_WATCH_SEEDS = {"day": 101, "night": 107, "rain": 103}
_EVALUATION_SCENES = {
    "day": "simulate:road?seed={seed}&mix=car:8,truck:2,bus:2",
    "night": "simulate:junction?seed={seed}&light=night",
    "rain": "simulate:junction?seed={seed}&weather=rain",
}
_EVALUATION_FRAMES = 24
_WORTH_SAYING = 0.01
"""On so few frames a hundredth of mAP50 is a box or two."""

LEARN: dict[str, Any] = {
    # Forty seconds must do here what a box takes days for.
    "sampling": {"window_s": 1, "spacing_s": 0.5},
    "teaching": {"busy_share": 1.0},
    "readiness": {"most_load": 1.0, "least_samples": 5, "least_memory_mb": 0, "needs_mains": False},
}
"""The learn section of each box."""


def can_train() -> bool:
    """Whether this installation has what a round needs; asked without importing any of it."""
    return all(find_spec(name) is not None for name in ("torch", "ultralytics", "flwr"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What a round came to.

    Attributes:
        state: Of the run: candidate, rejected or failed.
        reasons: Of the verdict.
        before: Scene → mAP50 of the parent, on frames that no box saw.
        after: The same of the new model.
        clients: One row a box: verdict, samples, bytes, seconds.
        lines: Of the ledger, which held.
    """

    state: str
    reasons: tuple[str, ...]
    before: dict[str, float]
    after: dict[str, float]
    clients: tuple[dict[str, Any], ...]
    lines: int


class DemoRound:
    """One round in one folder; the coordinator runs already."""

    def __init__(self, folder: Path, console: Console, *, boxes: Sequence[str]) -> None:
        self._folder = folder
        self._console = console
        self._boxes = tuple(boxes)

    @property
    def candidate(self) -> Path | None:
        """The folder that the run sealed; None where it did not come so far."""
        folder = self._run_folder / CANDIDATE_FOLDER
        return folder if (folder / LINEAGE_FILE).exists() else None

    @property
    def _run_folder(self) -> Path:
        return self._folder / "coordinator" / "federation" / "runs" / RUN

    def federation(self, *, port: int, hub_port: int) -> dict[str, Any]:
        """Make release key, bundle and evaluation frames; gives the coordinator's section."""
        key_file = self._folder / "release.key"
        bundle = self._folder / "coordinator" / "federation" / "bundle"
        run_command("ml", "bundle", "key", "--out", str(key_file))
        signed = json.loads(
            run_command(
                "ml", "bundle", "sign", "--key", str(key_file), "--out", str(bundle), "--json"
            )
        )
        return {
            "port": port,
            "hub_port": hub_port,
            "release_key": signed["release_key"],
            "evaluation": str(self._evaluation().resolve()),
            "least_samples": 5,
        }

    def run(self, config_file: Path, devices: dict[str, str]) -> RoundResult:
        """Label, train and judge.

        Args:
            config_file: Of the coordinator.
            devices: Name of the box's folder → device.

        Raises:
            UnreachableError: A process failed.
        """
        with ExitStack() as stack:
            asked: list[str] = []
            for box in self._boxes:
                config = self._folder / "boxes" / box / "edge.yaml"
                run_command("edge", "learn", "labels", "--now", "--config", str(config), "--json")
                kept = json.loads(
                    run_command("edge", "learn", "samples", "--config", str(config), "--json")
                )["samples"]
                self._console.print(f"{box}: {len(kept)} pictures stay on the box, encrypted")
                asked += ["--device", f"{devices[box]}={len(kept)}"]
                stack.enter_context(
                    running(
                        config.with_name("train.log"), "edge", "learn", "train",
                        "--config", str(config),
                    )
                )  # fmt: skip
            self._launch(config_file, asked)
            self._console.print("three boxes train; their pictures stay where they are …")
            try:
                run_command("rounds", "watch", RUN, "--config", str(config_file))
            except ItsError as error:
                self._console.print(f"the round failed: {error}")
        return self._result(config_file)

    def _launch(self, config_file: Path, asked: Sequence[str]) -> None:
        weights = Path(str(find_spec("models").origin)).parent / "weights"  # type: ignore[union-attr]
        parent = sorted(weights.glob("its-yolo11n-*.pt"))[-1]
        plan = self._folder / "plan.yaml"
        content = {"run": RUN, "rounds": 1, "quorum": 2, "deadline_s": 1200, "local": {"epochs": 2}}
        plan.write_text(yaml.safe_dump(content), encoding="utf-8")
        run_command(
            "rounds", "launch", "--config", str(config_file), "--plan", str(plan),
            "--parent", str(parent), *asked,
        )  # fmt: skip

    def _evaluation(self) -> Path:
        """Frames of other hours of the same kinds of place, with exact boxes."""
        folder = self._folder / "evaluation"
        for name in self._boxes:
            scene = _EVALUATION_SCENES[name].format(seed=_WATCH_SEEDS[name])
            drawn = folder / name
            run_command(
                "edge", "simulate", scene, "--labels", str(drawn),
                "--frames", str(_EVALUATION_FRAMES),
            )  # fmt: skip
            (drawn / "val").mkdir()
            for part in ("images", "labels"):
                shutil.move(drawn / part, drawn / "val" / part)
        return folder

    def _result(self, config_file: Path) -> RoundResult:
        shown = json.loads(
            run_command("rounds", "show", RUN, "--config", str(config_file), "--json")
        )
        run_command("rounds", "verify", RUN, "--config", str(config_file))
        metrics = self._run_folder / CANDIDATE_FOLDER / METRICS_FILE
        scores = json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else {}
        judged = scores.get("judged") or {}
        last = shown["finished"][-1] if shown["finished"] else {"map50": {}, "clients": []}
        return RoundResult(
            state=shown["state"],
            reasons=tuple(shown["verdict"]) or ((shown["reason"],) if shown["reason"] else ()),
            before=_map50(judged.get("against")),
            after=_map50(judged.get("candidate")),
            clients=tuple(last["clients"]),
            lines=len((self._run_folder / LEDGER_FILE).read_bytes().splitlines()),
        )


def _map50(side: dict[str, Any] | None) -> dict[str, float]:
    scores = side["scores"] if side else {}
    return {name: score["mean"]["map50"] for name, score in scores.items()}


def show_round(result: RoundResult, console: Console) -> None:
    """Print what became of it, for better or worse."""
    table = Table(title="mAP50 on frames that no box saw", title_justify="left")
    table.add_column("camera")
    for heading in ("before", "after the round"):
        table.add_column(heading, justify="right")
    for name, before in sorted(result.before.items()):
        table.add_row(name, f"{before:.3f}", f"{result.after.get(name, float('nan')):.3f}")
    console.print(table)
    for client in result.clients:
        console.print(
            f"{client['device']}: {client['verdict']}, {client['samples']} pictures, "
            f"{client['sent_bytes'] / 1e6:.2f} MB sent, {client['train_s']:.0f} s"
        )
    console.print(f"the run ended as {result.state}; {result.lines} lines of its ledger hold")
    for reason in result.reasons:
        console.print(f"  {reason}")
    console.print(in_words(result))


def in_words(result: RoundResult) -> str:
    """Whether the night camera sees better, in one sentence."""
    if "night" not in result.before or "night" not in result.after:
        return "nobody can say what the round did to the night camera: it was not scored"
    gain = result.after["night"] - result.before["night"]
    if gain >= _WORTH_SAYING:
        return f"the night camera sees better: mAP50 {gain:+.3f}"
    if gain <= -_WORTH_SAYING:
        return f"the night camera sees WORSE: mAP50 {gain:+.3f}"
    return f"the night camera did not get visibly better: mAP50 {gain:+.3f} is within chance"
