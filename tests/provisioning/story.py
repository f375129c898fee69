"""A bare machine and a coordinator → a box that counts, survives, and is retired; step by step.

``python -m tests.provisioning.story`` runs it as root and prints what each step showed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from coordinator.demo_processes import free_ports, get_json, run_command, running, wait_until_ready
from tests.conftest import REPOSITORY
from tests.provisioning.booted_root import BootedRoot, base_root, booted_root
from tests.provisioning.wheels import wheelhouse

ANSIBLE = REPOSITORY / "ansible"
SITE = "elm-and-main"
SCENE = "simulate:road?seed=1&separated=1&mix=car:8,truck:2,bus:2&duration=3600"
WATCHDOG_S = 15
_COUNTED_WITHIN_S = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one run of a playbook did.

    Attributes:
        changed: Tasks that changed something.
        failed: Tasks that failed, and hosts out of reach.
        output: All that it printed.
    """

    changed: int
    failed: int
    output: str


@dataclass(slots=True)
class Story:
    """The coordinator, the machine, and the inventory that ties them."""

    folder: Path
    machine: BootedRoot
    wheels: Path
    ports: list[int] = field(default_factory=lambda: free_ports(3))

    @property
    def config_file(self) -> Path:
        """Of the coordinator."""
        return self.folder / "coordinator.yaml"

    @property
    def api_url(self) -> str:
        """Where the coordinator answers."""
        return f"http://127.0.0.1:{self.ports[1]}"

    @contextmanager
    def coordinator(self) -> Iterator[None]:
        """Run the coordinator on this host until the block ends."""
        content = {
            "data_folder": "coordinator",
            "broker": {"port": self.ports[0]},
            "api": {"port": self.ports[1]},
            "devices": {"port": self.ports[2]},
        }
        self.config_file.write_text(yaml.safe_dump(content), encoding="utf-8")
        log_file = self.folder / "coordinator.log"
        with running(
            log_file, "coordinator", "serve", "--config", str(self.config_file)
        ) as process:
            wait_until_ready(f"{self.api_url}/health/ready", process, log_file=log_file)
            yield

    def write_inventory(self) -> None:
        """One box, and the coordinator reached without a network."""
        site_file = self.folder / "site.yaml"
        run_command("edge", "simulate", SCENE, "--site", str(site_file))
        site = yaml.safe_load(site_file.read_text(encoding="utf-8"))
        site_file.write_text(yaml.safe_dump({**site, "site": SITE}), encoding="utf-8")
        box = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.machine.port,
            "ansible_user": "root",
            "ansible_ssh_common_args": " ".join(self.machine.ssh_options),
            "edge_identity_site": SITE,
            "edge_agent_site_file": str(site_file),
            # A time server cannot be reached from here, and the clock is this host's.
            "host_baseline_time_package": "",
            "edge_agent_settings": {"threads": 1, "coordinator": {"clock_is_right": True}},
            "edge_agent_watchdog_s": WATCHDOG_S,
        }
        every = {
            "its_version": "0.1.0",
            "its_constraints_file": str(REPOSITORY / "constraints.txt"),
            "its_wheelhouse": str(self.wheels),
            "its_coordinator_url": f"https://127.0.0.1:{self.ports[2]}",
            "edge_identity_coordinator_command": [sys.executable, "-m", "common.cli"],
            "edge_identity_coordinator_config": str(self.config_file),
            "edge_identity_coordinator_user": "",
        }
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {
            "all": {
                "vars": every,
                "children": {
                    "coordinators": {"hosts": {"coordinator": here}},
                    "boxes": {"hosts": {"box": box}},
                },
            }
        }
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")

    def play(self, playbook: str, *words: str) -> Played:
        """Run a playbook against the machine."""
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", f"playbooks/{playbook}.yml",
             "-i", self.folder / "hosts.yml", *words],
            cwd=ANSIBLE, capture_output=True, text=True, timeout=900, check=False,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "ANSIBLE_NOCOLOR": "1",
                 "ANSIBLE_HOME": str(self.folder / "ansible")},
        )  # fmt: skip
        output = done.stdout + done.stderr
        (self.folder / f"{playbook}-{time.monotonic_ns()}.log").write_text(output, encoding="utf-8")
        return Played(
            changed=_sum_of("changed", output),
            failed=_sum_of("failed", output) + _sum_of("unreachable", output)
            if done.returncode == 0
            else max(1, _sum_of("failed", output)),
            output=output,
        )

    def devices(self) -> list[dict[str, Any]]:
        """What the coordinator knows of its boxes."""
        told: list[dict[str, Any]] = json.loads(
            run_command("fleet", "list", "--config", str(self.config_file), "--json")
        )
        return told

    def minutes_counted(self) -> int:
        """Minutes of the site that the coordinator holds."""
        now = datetime.now(UTC)
        begin, end = now - timedelta(hours=1), now + timedelta(minutes=1)
        url = (
            f"{self.api_url}/api/v1/sites/{SITE}/counts?width=1min&kind=line"
            f"&from={begin:%Y-%m-%dT%H:%M:00Z}&to={end:%Y-%m-%dT%H:%M:00Z}"
        )
        told = get_json(url)
        return sum(total is not None for series in told["series"][:1] for total in series["total"])

    def unit(self, name: str) -> str:
        """A property of the agent's service."""
        return self.machine.run(
            "systemctl", "show", "its-edge", "--value", "-p", name
        ).stdout.strip()


@contextmanager
def told(cache: Path) -> Iterator[Story]:
    """A booted machine and a running coordinator, not yet acquainted."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="its-provision-")))
        wheels = wheelhouse(cache)
        machine = stack.enter_context(booted_root(base_root(cache), folder))
        story = Story(folder=folder, machine=machine, wheels=wheels)
        stack.enter_context(story.coordinator())
        story.write_inventory()
        yield story


def wait_until(what: str, holds: Callable[[], bool], *, within_s: float) -> float:
    """Seconds until something held.

    Raises:
        TimeoutError: It did not.
    """
    began_s = time.monotonic()
    while time.monotonic() - began_s < within_s:
        if holds():
            return time.monotonic() - began_s
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not within {within_s:.0f} s")


def play_story(story: Story, tell: Callable[[str], None]) -> None:
    """All of it; whatever does not hold raises.

    Raises:
        AssertionError: A step did not show what it must.
        TimeoutError: A step took too long.
    """
    first = story.play("provision_edge")
    assert first.failed == 0, first.output[-4000:]
    tell(f"first run: {first.changed} tasks changed something, 0 failed")
    second = story.play("provision_edge")
    assert (second.changed, second.failed) == (0, 0), second.output[-4000:]
    tell("second run: 0 changed, 0 failed")
    checked = story.play("provision_edge", "--check", "--diff")
    assert (checked.changed, checked.failed) == (0, 0), checked.output[-4000:]
    tell("check mode: 0 would change, 0 failed")
    assert [one["state"] for one in story.devices()] == ["enrolled"]
    took_s = wait_until(
        "counts at the coordinator",
        lambda: story.minutes_counted() >= 1,
        within_s=_COUNTED_WITHIN_S,
    )
    tell(f"the coordinator holds minutes of {SITE}, {took_s:.0f} s after the second run")
    _freeze(story, tell)
    _retire(story, tell)


def _freeze(story: Story, tell: Callable[[str], None]) -> None:
    frozen = story.unit("MainPID")
    story.machine.run("kill", "-STOP", frozen)
    took_s = wait_until(
        "restart by the watchdog",
        lambda: story.unit("MainPID") not in ("0", frozen) and story.unit("SubState") == "running",
        within_s=WATCHDOG_S * 2 + 120,
    )
    journal = story.machine.run("journalctl", "-u", "its-edge", "--no-pager").stdout
    assert "Watchdog timeout" in journal
    tell(f"SIGSTOP: restarted by the watchdog after {took_s:.0f} s")


def _retire(story: Story, tell: Callable[[str], None]) -> None:
    machine = story.machine
    machine.run("cp", "-a", "/var/lib/its/identity", "/root/stolen")
    retired = story.play("retire_edge", "-e", "edge_identity_retire_reason=moved")
    assert retired.failed == 0, retired.output[-4000:]
    assert [one["state"] for one in story.devices()] == ["retired"]
    assert story.unit("ActiveState") == "inactive"
    assert not (machine.folder / "var/lib/its/identity").exists()
    again = story.play("retire_edge", "-e", "edge_identity_retire_reason=moved")
    assert again.failed == 0, again.output[-4000:]
    # Somebody who kept the keys gains nothing by them.
    machine.run("cp", "-a", "/root/stolen", "/var/lib/its/identity")
    machine.run("systemctl", "start", "its-edge")
    since = datetime.now(UTC)
    took_s = wait_until(
        "refusal of the retired box",
        lambda: "broker_lost" in _journal_since(story, since),
        within_s=90,
    )
    machine.run("systemctl", "stop", "its-edge")
    tell(f"retired: stopped, keys gone; its kept keys were refused after {took_s:.0f} s")


def _journal_since(story: Story, since: datetime) -> str:
    return story.machine.run(
        "journalctl", "-u", "its-edge", "--no-pager", "--since", f"@{since.timestamp():.0f}"
    ).stdout


def _sum_of(word: str, output: str) -> int:
    recap = output.rpartition("PLAY RECAP")[2]
    return sum(int(number) for number in re.findall(rf"{word}=(\d+)", recap))


def main() -> None:
    """Print the story as it unfolds."""
    began_s = time.monotonic()

    def tell(line: str) -> None:
        print(f"[{time.monotonic() - began_s:5.0f} s] {line}", flush=True)  # noqa: T201

    cache = Path(os.environ.get("ITS_CACHE_DIR", Path.home() / ".cache" / "its-camera-ai"))
    with told(cache / "provisioning") as story:
        tell("a bare machine runs, and a coordinator")
        play_story(story, tell)


if __name__ == "__main__":
    main()
