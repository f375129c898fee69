"""One machine → a coordinator, three boxes with simulated cameras, and what became of each count.

Nothing here is special: it starts the commands that a city runs, in the order in which its
people would type them.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from common.errors import UnreachableError
from coordinator.demo_ledger import LedgerRow, box_tally, side_by_side, stored_tally, true_tally
from coordinator.demo_processes import (
    free_ports,
    get_json,
    run_command,
    running,
    wait_for_all,
    wait_until_ready,
)
from coordinator.demo_round import LEARN, DemoRound, RoundResult

_AGENTS_WITHIN_S = 900.0
_STORED_WITHIN_S = 60.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteResult:
    """What became of one site's counts.

    Attributes:
        rows: Truth, box and database, row by row.
        uplink_bytes: Everything that the box sent.
        watched_s: How long its camera watched.
    """

    site: DemoSite
    rows: tuple[LedgerRow, ...]
    uplink_bytes: int
    watched_s: float

    @property
    def is_stored_exactly(self) -> bool:
        """True when the database holds what the box measured, row by row."""
        return all(row.box == row.stored for row in self.rows)

    @property
    def is_counted_exactly(self) -> bool:
        """True when the box measured what is true."""
        return all(row.box == row.true for row in self.rows)


class Demo:
    """One run in one folder."""

    def __init__(
        self, folder: Path, console: Console, *, sites: Sequence[DemoSite], learns: bool = False
    ) -> None:
        """Prepare; ``learns`` ends the demo with a federated round, which needs torch."""
        self._folder = folder
        self._console = console
        self._sites = sites
        self._broker_port, self._api_port, self._devices_port, *self._learn_ports = free_ports(5)
        self._began_at = datetime.now(UTC).replace(second=0, microsecond=0)
        self._devices: dict[str, str] = {}
        boxes = [site.name for site in sites]
        self._round = DemoRound(folder, console, boxes=boxes) if learns else None

    @property
    def api_url(self) -> str:
        """Where the coordinator answers."""
        return f"http://127.0.0.1:{self._api_port}"

    @property
    def config_file(self) -> Path:
        """The coordinator's configuration."""
        return self._folder / "coordinator.yaml"

    def run(self) -> tuple[list[SiteResult], RoundResult | None]:
        """Start everything, count, compare, and learn where that was asked for.

        Raises:
            UnreachableError: A process failed or a report did not arrive.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_coordinator()
        log_file = self._folder / "coordinator.log"
        with ExitStack() as stack:
            coordinator = stack.enter_context(
                running(log_file, "coordinator", "serve", "--config", str(self.config_file))
            )
            wait_until_ready(f"{self.api_url}/health/ready", coordinator, log_file=log_file)
            self._console.print(f"coordinator with embedded broker and SQLite: {self.api_url}/docs")
            for site in self._sites:
                self._set_up_box(site)
            self._count(stack)
            results = [self._result(site) for site in self._sites]
            if self._round is None:
                return results, None
            self._console.rule("a round in which three boxes learn from each other")
            return results, self._round.run(self.config_file, self._devices)

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

    def _set_up_box(self, site: DemoSite) -> None:
        folder = self._box(site)
        folder.mkdir(parents=True, exist_ok=True)
        site_file, token_file = folder / "site.yaml", folder / "token"
        run_command(
            "edge", "simulate", site.scene,
            "--site", str(site_file), "--truth", str(folder / "truth.json"),
        )  # fmt: skip
        content = yaml.safe_load(site_file.read_text(encoding="utf-8"))
        site_file.write_text(
            yaml.safe_dump({**content, "site": site.name}, sort_keys=False), encoding="utf-8"
        )
        token_file.unlink(missing_ok=True)
        run_command(
            "fleet", "token", "create", "--site", site.name,
            "--config", str(self.config_file), "--output", str(token_file),
        )  # fmt: skip
        told = run_command(
            "edge", "enroll", "--coordinator", f"https://127.0.0.1:{self._devices_port}",
            "--token-file", str(token_file), "--identity-folder", str(folder / "data" / "identity"),
        )  # fmt: skip
        # The clock of this machine is taken as it is; a box would ask its time server.
        agent = {
            "site_file": "site.yaml",
            "data_folder": "data",
            "threads": 1,
            "coordinator": {"clock_is_right": True},
            **({"learn": LEARN} if self._round is not None else {}),
        }
        (folder / "edge.yaml").write_text(yaml.safe_dump(agent, sort_keys=False), encoding="utf-8")
        self._console.print(f"{site.name}: {told.splitlines()[0]}")
        # "enrolled as DEVICE of site SITE"
        self._devices[site.name] = told.split()[2]

    def _count(self, stack: ExitStack) -> None:
        self._console.print(f"{len(self._sites)} agents count 40 s of traffic each …")
        agents: dict[str, subprocess.Popen[bytes]] = {}
        for site in self._sites:
            folder = self._box(site)
            agents[f"agent {site.name}"] = stack.enter_context(
                running(folder / "agent.log", "edge", "run", "--config", str(folder / "edge.yaml"))
            )
        wait_for_all(agents, within_s=_AGENTS_WITHIN_S)

    def _result(self, site: DemoSite) -> SiteResult:
        folder, config = self._box(site), str(self._box(site) / "edge.yaml")
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        bins = json.loads(run_command("edge", "bins", "--config", config, "--json"))["bins"]
        egress = json.loads(
            run_command("edge", "egress", "show", "--config", config, "--last", "0", "--json")
        )
        box = box_tally(bins)
        stored = stored_tally(self._stored_counts(site, bins))
        return SiteResult(
            site=site,
            rows=tuple(side_by_side(true_tally(truth), box, stored)),
            uplink_bytes=sum(entry["size_bytes"] for entry in egress["entries"]),
            watched_s=sum(one["coverage_s"] for one in bins),
        )

    def _stored_counts(self, site: DemoSite, bins: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The coordinator's answer, once it has every minute of the box."""
        until = datetime.now(UTC) + timedelta(minutes=1)
        url = (
            f"{self.api_url}/api/v1/sites/{site.name}/counts?width=1min&kind=line"
            f"&from={_stamp(self._began_at)}&to={_stamp(until)}"
        )
        minutes = {one["start"] for one in bins}
        give_up_s = time.monotonic() + _STORED_WITHIN_S
        while time.monotonic() < give_up_s:
            answer: dict[str, Any] = get_json(url)
            reported = {
                start
                for series in answer["series"]
                for start, total in zip(answer["starts"], series["total"], strict=True)
                if total is not None
            }
            if minutes <= reported:
                return answer
            time.sleep(0.5)
        raise UnreachableError(
            f"site {site.name}: {len(minutes)} minutes measured, not all stored",
            hint=f"the logs are in {self._folder}",
        )

    def _box(self, site: DemoSite) -> Path:
        return self._folder / "boxes" / site.name


def show(results: Sequence[SiteResult], console: Console, *, video_bytes_per_s: float) -> None:
    """Print the ledger and what it cost to send it."""
    table = Table(title="truth → box → database, row by row", title_justify="left")
    for heading in ("site", "line", "direction", "class"):
        table.add_column(heading)
    for heading in ("true", "box", "database"):
        table.add_column(heading, justify="right")
    for result in results:
        for row in result.rows:
            table.add_row(result.site.name, *row.row, str(row.true), str(row.box), str(row.stored))
        table.add_section()
    console.print(table)
    for result in results:
        hourly = result.uplink_bytes / result.watched_s * 3600
        share = hourly / (video_bytes_per_s * 3600)
        kind = "easy" if result.site.is_easy else "hard"
        verdict = "exact" if result.is_counted_exactly else "with the errors above"
        console.print(
            f"{result.site.name} ({kind}): counted {verdict}; database equals box: "
            f"{'yes' if result.is_stored_exactly else 'NO'}; {hourly / 1000:.0f} kB an hour left "
            f"the box, {share:.3%} of the video"
        )


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:00Z")
