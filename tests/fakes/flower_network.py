"""A folder → a real SuperLink, SuperExec, hub and SuperNodes on 127.0.0.1 that tests may kill.

``with FlowerNetwork(folder) as network: network.add_node("box-1"); network.launch("run-1")``.
TLS and node keys as in production, command lines from ``common.flower_processes``; every process
leads its own group, and all groups are killed at the end.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from common.flower_processes import (
    NodePlace,
    connection_file,
    flower_environment,
    list_runs_command,
    register_node_command,
    run_command,
    stop_run_command,
    superexec_command,
    superlink_command,
    supernode_command,
    trusted_entities,
    unregister_node_command,
)
from common.free_ports import free_port
from common.keys import SigningKey
from models.federated.bundle import build_bundle
from models.federated.bundle_signing import sign_bundle
from models.federated.hub_service import Hub
from tests.fakes.flower_trust import new_link_place, new_node_key
from tests.fakes.killable_processes import WAIT_S, KillableProcesses

_FAST = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2"}


@dataclass(frozen=True, slots=True)
class Node:
    """One device of the network."""

    device: str
    node_id: int
    place: NodePlace


class FlowerNetwork:
    """One coordinator's side and any number of nodes; ports stay the same over kill and start."""

    def __init__(
        self,
        folder: Path,
        *,
        python_path: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        release_key: SigningKey | None = None,
    ) -> None:
        """Prepare files; nothing runs before ``with``.

        Args:
            folder: For certificates, databases, logs and run folders.
            python_path: First in every process' search path: trainers, audit hooks.
            environment: More variables of every process.
            release_key: Signs the bundle; the nodes trust it.
        """
        self.folder = folder
        self.runs = folder / "runs"
        self.runs.mkdir(parents=True)
        self.release_key = release_key or SigningKey.generate()
        self.nodes: dict[str, Node] = {}
        self._more = {"PYTHONPATH": os.pathsep.join(map(str, (*python_path, Path.cwd())))}
        self._more |= _FAST | dict(environment or {})
        self.processes = KillableProcesses(folder)
        self._own: dict[str, dict[str, str]] = {}
        self.place = new_link_place(folder, port=free_port())
        self.trusted = folder / "trusted.yaml"
        key = self.release_key.public
        self.trusted.write_text(trusted_entities({key.key_id: key.raw}))
        bundle = build_bundle()
        self.hub = Hub(bundle, sign_bundle(bundle, self.release_key, at=datetime.now(UTC)))
        self._serving = threading.Thread(target=self.hub.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._serving.start()
        self.start_link()
        self.start_exec()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.processes.kill_all()
        self.hub.shutdown()
        self.hub.server_close()
        self._serving.join()

    def start_link(self) -> None:
        """Start the SuperLink, and wait until it answers."""
        self._start("superlink", superlink_command(self.place), hub_url=self.hub.url)
        self.processes.until("the SuperLink listens", lambda: _listens(self.place.port))

    def start_exec(self) -> None:
        """Start what starts server apps."""
        self._start("superexec", superexec_command(self.place), runs=self.runs)

    def add_node(
        self,
        device: str,
        *,
        learn_folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Node:
        """Register a new key for the device, and start its node."""
        key = new_node_key(self.folder / "keys", device)
        answer = self.flwr(register_node_command(key.with_suffix(".pub"), name=device))
        place = NodePlace(
            link=self.place.address,
            authority=self.place.authority,
            key=key,
            trusted=self.trusted,
            own_port=free_port(),
            device=device,
            learn_folder=learn_folder or self.folder / device,
        )
        self.nodes[device] = Node(device, int(answer["node-id"]), place)
        self._own[device] = dict(environment or {})
        self.start_node(device)
        return self.nodes[device]

    def start_node(self, device: str, *, command: Sequence[str] | None = None) -> None:
        """Start the node of a device (again)."""
        self._start(device, command or supernode_command(self.nodes[device].place))

    def start_process(self, name: str, command: Sequence[str]) -> None:
        """Start any command with the environment of a node."""
        self._start(name, command)

    def stranger(self, device: str = "stranger") -> NodePlace:
        """Where a node would work whose key nobody registered."""
        return NodePlace(
            link=self.place.address,
            authority=self.place.authority,
            key=new_node_key(self.folder / "keys", device),
            trusted=self.trusted,
            own_port=free_port(),
            device=device,
            learn_folder=self.folder / device,
        )

    def remove_node(self, device: str) -> None:
        """Take the key back."""
        self.flwr(unregister_node_command(self.nodes[device].node_id))

    def nodes_file(self) -> str:
        """Text of ``nodes.json`` for a run folder."""
        return json.dumps({str(node.node_id): node.device for node in self.nodes.values()})

    def wait_online(self, *devices: str) -> None:
        """Wait until these nodes (default: all) are connected."""
        for device in devices or tuple(self.nodes):
            said = f"SuperNode ID: {self.nodes[device].node_id}"
            self.wait_said(device, said)

    def wait_said(self, name: str, words: str, *, wait_s: float = WAIT_S) -> None:
        """Wait until the newest process of this name wrote these words."""
        self.processes.until(
            f"{name} says {words!r}", lambda: words in self.processes.said(name), wait_s=wait_s
        )

    def launch(self, run: str, *, app: str | Path | None = None) -> int:
        """``flwr run``: Flower's number of the run."""
        command = run_command(run) if app is None else run_command(run, app=str(app))
        return int(self.flwr(command)["run-id"])

    def status(self, flower_run: int) -> str:
        """Such as ``running`` or ``finished:completed``."""
        return str(self.flwr(list_runs_command(flower_run))["runs"][0]["status"])

    def stop(self, flower_run: int) -> None:
        """``flwr stop``."""
        self.flwr(stop_run_command(flower_run))

    def wait_finished(self, flower_run: int, *, wait_s: float = 300.0) -> str:
        """Wait for the end of a run."""
        # A command of Flower takes seconds to start: ask only when something has ended.
        said = re.compile(rf"Finished task \d+ of run {flower_run}")
        self.processes.until(
            f"run {flower_run} ends", lambda: said.search(self.log("superlink")), wait_s=wait_s
        )
        return self.status(flower_run)

    def wait_for(self, what: str, path: Path, *, wait_s: float = WAIT_S) -> None:
        """Wait until a file exists."""
        self.processes.until(what, path.exists, wait_s=wait_s)

    def wait_exit(self, name: str) -> int:
        """Wait for the end of a process: its exit status."""
        return self.processes.wait_exit(name)

    def kill(self, name: str) -> None:
        """SIGKILL the process and all that it started, as a power cut does."""
        self.processes.kill(name)

    def kill_server_app(self) -> None:
        """SIGKILL ``flwr-serverapp`` alone; the SuperExec lives."""
        for pid in self.processes.members("superexec", b"flwr-serverapp"):
            os.kill(pid, signal.SIGKILL)

    def log(self, name: str) -> str:
        """What all processes of this name wrote."""
        return self.processes.log(name)

    def flwr(self, command: Sequence[str]) -> dict[str, Any]:
        """What a ``flwr`` command says; it must succeed."""
        answer = self._flwr(command)
        assert answer is not None, f"{command[1:3]}: {self.log('flwr')[-2000:]}"
        return answer

    def _flwr(self, command: Sequence[str]) -> dict[str, Any] | None:
        done = subprocess.run(
            command,
            check=False,
            env=self._environment("operator"),
            capture_output=True,
            timeout=WAIT_S,
        )
        with (self.folder / "flwr.log").open("ab") as log:
            log.write(done.stdout + done.stderr)
        begin = done.stdout.find(b"{")
        if done.returncode or begin < 0:
            return None
        answer = json.loads(done.stdout[begin:])
        return answer if answer.get("success") else None

    def _start(
        self, name: str, command: Sequence[str], *, hub_url: str = "", runs: Path | None = None
    ) -> None:
        self.processes.start(name, command, self._environment(name, hub_url=hub_url, runs=runs))

    def _environment(
        self, name: str, *, hub_url: str = "", runs: Path | None = None
    ) -> dict[str, str]:
        home = self.folder / "homes" / name
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(connection_file(self.place))
        ours = flower_environment(os.environ, home=home, hub_url=hub_url, runs=runs)
        return ours | self._more | self._own.get(name, {})


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
