"""Real SuperLink, SuperExec and three SuperNodes: what they do, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.flower_processes import supernode_command
from common.round_ledger import read_ledger, verify_ledger
from common.rounds import RunState, RunStatus
from models.federated.bundle import write_app_folder
from tests.fakes.flower_network import FlowerNetwork
from tests.fakes.flower_trainer import fill_learn_folder, package_with_trainer, samples_at
from tests.fakes.run_folders import make_run
from tests.fakes.socket_watch import SocketWatch
from tests.integration.federation.learned_in_process import (
    PLACES,
    SAMPLES,
    learned_in_process,
    weights_after,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> SocketWatch:
    return SocketWatch(tmp_path_factory.mktemp("watch") / "hook")


@pytest.fixture(scope="module")
def network(
    tmp_path_factory: pytest.TempPathFactory, watch: SocketWatch
) -> Iterator[FlowerNetwork]:
    folder = tmp_path_factory.mktemp("flower")
    package = package_with_trainer(folder / "package")
    with FlowerNetwork(
        folder / "network",
        python_path=[watch.folder, package],
        environment=watch.environment,
    ) as running:
        for device, cx in PLACES.items():
            fill_learn_folder(running.folder / device, samples_at(cx, count=SAMPLES))
            running.add_node(device)
        running.wait_online()
        yield running


def planned(network: FlowerNetwork, run: str, **settings: Any) -> Path:
    """A run folder that the server app finds."""
    folder = network.runs / run
    make_run(folder, dict.fromkeys(PLACES, SAMPLES), **settings)
    (folder / "nodes.json").write_text(network.nodes_file())
    return folder


def status_of(folder: Path) -> RunStatus:
    return RunStatus.model_validate_json((folder / "status.json").read_bytes())


def test_two_rounds_over_the_wire_end_where_the_same_rounds_in_one_process_end(
    network: FlowerNetwork, tmp_path: Path
) -> None:
    folder = planned(network, "two-rounds")

    ended = network.wait_finished(network.launch("two-rounds"))

    assert ended == "finished:completed"
    assert status_of(folder).state is RunState.CANDIDATE
    assert verify_ledger(folder / "ledger.jsonl").is_intact
    expected = learned_in_process(tmp_path, "two-rounds")
    assert np.allclose(weights_after(folder, 2), expected, rtol=0, atol=1e-6)


def test_an_unsigned_bundle_is_refused_by_every_node(
    network: FlowerNetwork, tmp_path: Path
) -> None:
    folder = planned(network, "unsigned", rounds=1, deadline_s=40.0)
    app = tmp_path / "federated"
    write_app_folder(app)

    ended = network.wait_finished(network.launch("unsigned", app=app))

    assert ended == "finished:failed"
    told = [line.body for line in read_ledger(folder / "ledger.jsonl") if line.kind == "client"]
    assert [client["reasons"] for client in told] == [["bundle_refused"]] * 3
    assert status_of(folder).state is RunState.FAILED


def test_a_node_whose_key_nobody_registered_is_not_let_in(network: FlowerNetwork) -> None:
    stranger = network.stranger()

    network.start_process("stranger", supernode_command(stranger))

    assert network.wait_exit("stranger") != 0
    assert "SuperNode ID" not in network.log("stranger")


def test_no_process_of_flower_reached_beyond_this_machine(
    network: FlowerNetwork, watch: SocketWatch
) -> None:
    assert network.nodes

    programs = {one.program for one in watch.seen()}

    assert {"flower-superlink", "flower-supernode", "flower-superexec", "flwr"} <= programs
    assert {"flwr-serverapp", "flwr-clientapp"} <= programs
    assert watch.strangers() == set()


def test_the_watch_finds_what_flower_does_when_nobody_switches_it_off(tmp_path: Path) -> None:
    watch = SocketWatch(tmp_path / "hook")
    environment = {name: value for name, value in os.environ.items() if "FLWR" not in name}
    environment |= watch.environment | {
        "PYTHONPATH": str(watch.folder),
        "FLWR_HOME": str(tmp_path / "home"),
        # Where it would ask for updates: an address for documentation (RFC 5737).
        "FLWR_SUPERGRID_API_URL": "http://192.0.2.1/v1",
        "FLWR_TELEMETRY_ENABLED": "0",
    }

    subprocess.run(
        [str(Path(sys.executable).parent / "flower-supernode"), "--version"],
        env=environment,
        check=False,
        capture_output=True,
        timeout=60,
    )

    assert watch.strangers() == {("flower-supernode", "192.0.2.1")}


def test_what_a_node_is_told_holds_no_secret(network: FlowerNetwork) -> None:
    command = " ".join(supernode_command(network.nodes["box-1"].place))

    assert network.nodes["box-1"].place.key.read_text() not in command
    assert json.loads(network.trusted.read_text()).keys() == {network.release_key.key_id}
