"""One machine → a coordinator, three boxes with simulated cameras, and what became of each count.

Nothing here is special: it starts the commands that a city runs, in the order in which its
people would type them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from common.free_ports import free_ports
from coordinator.demo_counting import SiteResult, result_of
from coordinator.demo_delivery import DemoDelivery
from coordinator.demo_people import DemoPerson
from coordinator.demo_processes import (
    Process,
    run_command,
    running,
    running_all,
    wait_for_all,
    wait_until_ready,
)
from coordinator.demo_release import DemoReleases
from coordinator.demo_rollout import Delivery
from coordinator.demo_round import LEARN, DemoRound, RoundResult
from coordinator.demo_sites import DEMO_SITES, DemoBox, DemoSite

__all__ = ["DEMO_SITES", "Demo", "DemoSite", "Story"]

ADMINISTRATOR = "ada"
_AGENTS_WITHIN_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened; everything runs as long as somebody looks at it.

    Attributes:
        learnt: None where no round was asked for.
        delivery: None where no release was asked for.
        first_counts_s: From the beginning to the first count, None where nothing was filmed.
        processes: What runs, by name.
    """

    results: Sequence[SiteResult]
    learnt: RoundResult | None = None
    delivery: Delivery | None = None
    first_counts_s: float | None = None
    processes: Mapping[str, Process] = field(default_factory=dict)


class Demo:
    """One run in one folder."""

    def __init__(
        self,
        folder: Path,
        console: Console,
        *,
        sites: Sequence[DemoSite],
        learns: bool = False,
        is_whole: bool = False,
    ) -> None:
        """Prepare.

        Args:
            folder: Everything lies there.
            console: Where it is told.
            sites: One box each.
            learns: With a federated round, which needs torch.
            is_whole: With a film of the first camera, and the delivery of a release.
        """
        self._folder = folder
        self._console = console
        self._is_whole = is_whole
        self._began_s = time.monotonic()
        self._began_at = datetime.now(UTC).replace(second=0, microsecond=0)
        self._broker_port, self._api_port, self._devices_port, *self._learn_ports = free_ports(5)
        self._boxes = {site.name: DemoBox(site, folder / "boxes" / site.name) for site in sites}
        self._devices: dict[str, str] = {}
        self._round = DemoRound(folder, console, boxes=list(self._boxes)) if learns else None
        self._releases = DemoReleases(folder, console, config_file=self.config_file)

    @property
    def api_url(self) -> str:
        """Where the coordinator answers."""
        return f"http://127.0.0.1:{self._api_port}"

    @property
    def config_file(self) -> Path:
        """The coordinator's configuration."""
        return self._folder / "coordinator.yaml"

    @property
    def film(self) -> Path:
        """What the first camera saw, annotated."""
        return self._folder / f"{DEMO_SITES[0].name}.mp4"

    @property
    def took_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began_s

    def run(self) -> Story:
        """Tell everything, and stop everything.

        Raises:
            UnreachableError: A process failed or a report did not arrive.
        """
        with self.running() as story:
            return story

    @contextmanager
    def running(self) -> Iterator[Story]:
        """Start everything, count, compare, learn and deliver; it runs until the block ends.

        Raises:
            UnreachableError: A process failed or a report did not arrive.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        # Before anything else asks for the processor: somebody waits for it.
        first_counts_s = self._film() if self._is_whole else None
        self._write_coordinator()
        with ExitStack() as stack:
            coordinator = self._start_coordinator(stack)
            ada = self._open_house(coordinator)
            results = self._count(ada)
            learnt = self._learn()
            processes = {"coordinator": coordinator}
            delivery = None
            if self._is_whole:
                self._console.rule("a release for every box")
                processes |= self._go_live(stack)
                delivery = self._deliver(ada, results, learnt)
            yield Story(
                results=results,
                learnt=learnt,
                delivery=delivery,
                first_counts_s=first_counts_s,
                processes=processes,
            )

    def _start_coordinator(self, stack: ExitStack) -> Process:
        log_file = self._folder / "coordinator.log"
        serve = ("coordinator", "serve", "--config", str(self.config_file))
        return stack.enter_context(running(log_file, *serve))

    def _film(self) -> float:
        """One camera from its pixels to its counts; the command fails unless they are exact."""
        first = DEMO_SITES[0]
        self._console.rule("one camera, seen")
        self._console.print("forty seconds of a road by day are drawn, watched and counted …")
        run_command("edge", "demo", "--only", first.name, "--output", str(self._folder))
        took_s = self.took_s
        self._console.print(f"first counts after {took_s:.0f} s, and every one of them right")
        self._console.print(f"picture: {self.film.with_suffix('.png')}   video: {self.film}")
        return took_s

    def _open_house(self, coordinator: Process) -> DemoPerson:
        """Coordinator, first administrator, offline keys and boxes, each before it is needed."""
        self._console.rule(f"a coordinator and {len(self._boxes)} boxes")
        log_file = self._folder / "coordinator.log"
        wait_until_ready(f"{self.api_url}/health/ready", coordinator, log_file=log_file)
        self._console.print(f"coordinator with embedded broker and SQLite: {self.api_url}/docs")
        ada = DemoPerson.first(ADMINISTRATOR, api_url=self.api_url, config_file=self.config_file)
        self._console.print(f"{ada.name} is the first administrator, with a second factor")
        if self._is_whole:
            self._console.print("somebody makes the keys that every release will be signed with …")
            self._releases.make_keys()
            self._console.print("offline keys are made: boxes will believe them, nobody else")
        self._set_up_boxes()
        return ada

    def _write_coordinator(self) -> None:
        content: dict[str, Any] = {
            "data_folder": "coordinator",
            "broker": {"port": self._broker_port},
            "api": {"port": self._api_port},
            "devices": {"port": self._devices_port},
        }
        if self._round is not None:
            port, hub_port = self._learn_ports
            content["federation"] = self._round.federation(port=port, hub_port=hub_port)
        self.config_file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def _set_up_boxes(self) -> None:
        learn = LEARN if self._round is not None else None

        def set_up(box: DemoBox) -> str:
            return box.set_up(self.config_file, port=self._devices_port, learn=learn)

        with ThreadPoolExecutor(len(self._boxes)) as pool:
            for name, device in zip(
                self._boxes, pool.map(set_up, self._boxes.values()), strict=True
            ):
                self._devices[name] = device
                self._console.print(f"{name}: enrolled as {device} of site {name}")

    def _count(self, ada: DemoPerson) -> list[SiteResult]:
        self._console.print(f"{len(self._boxes)} agents count 40 s of traffic each …")
        with running_all(self._agents()) as agents:
            wait_for_all(agents, within_s=_AGENTS_WITHIN_S)
        return [result_of(box, reader=ada, since=self._began_at) for box in self._boxes.values()]

    def _learn(self) -> RoundResult | None:
        if self._round is None:
            return None
        self._console.rule(f"a round in which {len(self._boxes)} boxes learn from each other")
        return self._round.run(self.config_file, self._devices)

    def _go_live(self, stack: ExitStack) -> Mapping[str, Process]:
        for box in self._boxes.values():
            box.go_live()
        self._console.print("the boxes count again, each a live stream without an end")
        return stack.enter_context(running_all(self._agents()))

    def _deliver(
        self, ada: DemoPerson, results: Sequence[SiteResult], learnt: RoundResult | None
    ) -> Delivery:
        delivery = DemoDelivery(self._console, self._releases, ada, config_file=self.config_file)
        candidate = self._round.candidate if self._round and learnt else None
        if candidate is None or not delivery.offer(candidate):
            delivery.release_again(self._folder / "rerelease" / "candidate", results)
        sites = {device: site for site, device in self._devices.items()}
        return delivery.roll_out(sites, api_url=self.api_url)

    def _agents(self) -> dict[str, tuple[Path, tuple[str, ...]]]:
        return {
            f"agent {name}": (box.log_file, ("edge", "run", "--config", str(box.config_file)))
            for name, box in self._boxes.items()
        }
