"""What a demo says of a candidate that its bench rejected, and of one that passed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from common.free_ports import free_ports
from coordinator.demo_delivery import DemoDelivery
from coordinator.demo_people import DemoPerson
from coordinator.demo_processes import running, wait_until_ready
from coordinator.demo_release import DemoReleases
from tests.fakes.sealed_candidate import sealed_candidate

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class City:
    """A coordinator that runs, and its first administrator."""

    config_file: Path
    ada: DemoPerson

    def delivery(self, console: Console) -> DemoDelivery:
        """What a demo would do with a candidate of this city."""
        folder = self.config_file.parent
        releases = DemoReleases(folder, console, config_file=self.config_file)
        return DemoDelivery(console, releases, self.ada, config_file=self.config_file)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """With an account that was made as the demo makes it."""
    folder = tmp_path_factory.mktemp("city")
    broker, api, devices = free_ports(3)
    config_file = folder / "coordinator.yaml"
    content = {
        "data_folder": "coordinator",
        "broker": {"port": broker},
        "api": {"port": api},
        "devices": {"port": devices},
    }
    config_file.write_text(yaml.safe_dump(content), encoding="utf-8")
    log_file, url = folder / "coordinator.log", f"http://127.0.0.1:{api}"
    with running(log_file, "coordinator", "serve", "--config", str(config_file)) as coordinator:
        wait_until_ready(f"{url}/health/ready", coordinator, log_file=log_file)
        yield City(config_file, DemoPerson.first("ada", api_url=url, config_file=config_file))


def test_a_rejected_candidate_is_registered_and_goes_nowhere(city: City, tmp_path: Path) -> None:
    told = io.StringIO()
    worse = sealed_candidate(
        tmp_path / "worse", version="1.0.0+worse", weights=b"1", rejections=("not better",)
    )

    assert not city.delivery(Console(file=told, width=200)).offer(worse)

    assert "registered: its-tiny 1.1.0" in told.getvalue()
    assert "the gate stays closed for 1.1.0, and it goes nowhere" in told.getvalue()
    assert "the bench rejected it: not better" in told.getvalue()
    assert city.ada.get("/models/1.1.0")["stage"] == "development"


def test_a_candidate_that_passed_its_gate_is_in_staging(city: City, tmp_path: Path) -> None:
    told = io.StringIO()
    better = sealed_candidate(tmp_path / "better", version="2.0.0", weights=b"2")

    assert city.delivery(Console(file=told, width=200)).offer(better)

    assert "passed its gate: 2.0.0 is in staging" in told.getvalue()
    assert city.ada.get("/models/2.0.0")["stage"] == "staging"


def test_somebody_who_moved_in_has_both_factors_and_left_no_link(city: City) -> None:
    who = city.ada.get("/session")

    assert (who["name"], who["roles"], who["level"]) == ("ada", ["admin"], "fresh")
    assert not list(city.config_file.parent.glob("*.link"))
