"""Two booted machines → a city's inventory, and playbooks that are run against it."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from common.free_ports import free_ports
from coordinator.demo_processes import run_command
from tests.conftest import REPOSITORY
from tests.provisioning.booted_root import BootedRoot, base_root, booted_root
from tests.provisioning.wheels import training_wheels, wheelhouse

ANSIBLE = REPOSITORY / "ansible"
SITE = "elm-and-main"
SCENE = "simulate:road?seed=1&separated=1&mix=car:8,truck:2,bus:2&duration=3600"
WATCHDOG_S = 15
PLUGGED = {"wheels": "/mnt/wheels", "train": "/mnt/train"}
_COORDINATOR = "/var/lib/its-coordinator"
# Nobody here has a GPU or a thermal sensor; what a box waits for must not hold a test up.
_EAGER = {
    "sampling": {"window_s": 10, "spacing_s": 0},
    "readiness": {
        "most_load": 1, "least_memory_mb": 500, "needs_mains": False, "least_samples": 1,
        "most_temperature_c": 120,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Free ports of this host, which the machines share."""

    broker: int
    api: int
    devices: int
    link: int
    hub: int
    proxy: int


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


@dataclass(slots=True, kw_only=True)
class City:
    """A server, a box, and the inventory that ties them."""

    folder: Path
    server: BootedRoot
    box: BootedRoot
    wheels: Path
    with_rounds: bool
    ports: Ports = field(default_factory=lambda: Ports(**_free()))

    def write_inventory(self) -> None:
        """One coordinator and one box."""
        site_file = self.folder / "site.yaml"
        run_command("edge", "simulate", SCENE, "--site", str(site_file))
        site = yaml.safe_load(site_file.read_text(encoding="utf-8"))
        site_file.write_text(yaml.safe_dump({**site, "site": SITE}), encoding="utf-8")
        every = {
            "its_version": "0.1.0",
            "its_constraints_file": str(REPOSITORY / "constraints.txt"),
            "its_wheelhouse": str(self.wheels),
            "its_coordinator_url": f"https://127.0.0.1:{self.ports.devices}",
            # A time server cannot be reached from here, and the clock is this host's.
            "host_baseline_time_package": "",
            "ansible_user": "root",
        }
        inventory = {
            "all": {
                "vars": every,
                "children": {
                    "coordinators": {"hosts": {"city": self._server_variables()}},
                    "boxes": {"hosts": {"box": self._box_variables(site_file)}},
                },
            }
        }
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")

    def play(self, playbook: str, *words: str) -> Played:
        """Run a playbook."""
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", f"playbooks/{playbook}.yml",
             "-i", self.folder / "hosts.yml", *words],
            cwd=ANSIBLE, capture_output=True, text=True, timeout=1800, check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1",
                 "ANSIBLE_HOME": str(self.folder / "ansible")},
        )  # fmt: skip
        output = done.stdout + done.stderr
        (self.folder / f"{playbook}-{time.monotonic_ns()}.log").write_text(output, encoding="utf-8")
        failed = _sum_of("failed", output) + _sum_of("unreachable", output)
        return Played(
            changed=_sum_of("changed", output),
            failed=failed if done.returncode == 0 else max(1, failed),
            output=output,
        )

    def ask_coordinator(self, *words: str) -> str:
        """What a command of the coordinator prints; run there as its account.

        Raises:
            RuntimeError: It failed.
        """
        done = self.server.run(
            "sudo", "-u", "its-coordinator", "/opt/its/venv/bin/its-camera-ai", *words,
            "--config", "/etc/its/coordinator.yaml",
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr[-1000:]}")
        return done.stdout

    def table(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the coordinator's database."""
        file = self.server.folder / _COORDINATOR.lstrip("/") / "coordinator.sqlite"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return database.execute(statement).fetchall()

    def _server_variables(self) -> dict[str, Any]:
        ports = self.ports
        return {
            **_reached(self.server),
            "coordinator_names": ["127.0.0.1", "localhost"],
            "coordinator_listen": "127.0.0.1",
            "coordinator_settings": {
                "broker": {"port": ports.broker},
                "api": {"port": ports.api},
                "devices": {"port": ports.devices},
            },
            # From a disk that was plugged in; the box gets its own over ssh.
            "its_wheelhouse": "",
            "coordinator_wheels_on_host": list(PLUGGED.values())[: 1 + self.with_rounds],
            "superlink_wanted": self.with_rounds,
            "superlink_host": "localhost",
            "superlink_port": ports.proxy,
            "superlink_settings": {
                "port": ports.link,
                "hub_port": ports.hub,
                "release_key": self._release_key(),
            },
            "superlink_bundle": str(self.folder / "bundle") if self.with_rounds else "",
        }

    def _release_key(self) -> str:
        """The public half; the training bundle is signed with the other one, on this host."""
        if not self.with_rounds:
            return ""
        key_file = str(self.folder / "release.key")
        run_command("ml", "bundle", "key", "--out", key_file)
        told = run_command(
            "ml", "bundle", "sign", "--key", key_file, "--out", str(self.folder / "bundle")
        )
        return told.partition("release_key:")[2].strip()

    def _box_variables(self, site_file: Path) -> dict[str, Any]:
        return {
            **_reached(self.box),
            "edge_identity_site": SITE,
            "edge_agent_site_file": str(site_file),
            "edge_agent_settings": {"threads": 1, "coordinator": {"clock_is_right": True}},
            "edge_agent_watchdog_s": WATCHDOG_S,
            "edge_learn_wanted": self.with_rounds,
            "edge_learn_settings": _EAGER,
            "edge_learn_wheels": PLUGGED["train"],
            "edge_learn_wheels_on_box": True,
        }


@contextmanager
def bare_city(cache: Path, *, with_rounds: bool) -> Iterator[City]:
    """Two machines that run and know nothing of each other or of us."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="its-provision-", dir=cache))
        )
        wheels, base = wheelhouse(cache), base_root(cache)
        plugged = {wheels: PLUGGED["wheels"]}
        if with_rounds:
            plugged[training_wheels(cache)] = PLUGGED["train"]
        server, box = (
            stack.enter_context(booted_root(base, folder / name, plugged=plugged))
            for name in ("server", "box")
        )
        city = City(folder=folder, server=server, box=box, wheels=wheels, with_rounds=with_rounds)
        city.write_inventory()
        yield city


def _reached(machine: BootedRoot) -> dict[str, Any]:
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": machine.port,
        "ansible_ssh_common_args": " ".join(machine.ssh_options),
    }


def _free() -> dict[str, int]:
    names = tuple(Ports.__dataclass_fields__)
    return dict(zip(names, free_ports(len(names)), strict=True))


def _sum_of(word: str, output: str) -> int:
    recap = output.rpartition("PLAY RECAP")[2]
    return sum(int(number) for number in re.findall(rf"{word}=(\d+)", recap))
