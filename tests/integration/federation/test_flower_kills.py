"""Real processes of Flower, killed in the middle of a run: it goes on, or is gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.round_ledger import read_ledger, verify_ledger
from common.rounds import BatchNorm, RunState, RunStatus
from tests.fakes.flower_network import FlowerNetwork
from tests.fakes.flower_trainer import GATE, fill_learn_folder, package_with_trainer, samples_at
from tests.fakes.run_folders import make_run
from tests.integration.federation.learned_in_process import (
    PLACES,
    SAMPLES,
    learned_in_process,
    weights_after,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlowerNetwork]:
    folder = tmp_path_factory.mktemp("flower")
    package = package_with_trainer(folder / "package")
    with FlowerNetwork(folder / "network", python_path=[package]) as running:
        for device, cx in PLACES.items():
            gate = folder / f"gate-{device}"
            gate.mkdir()
            fill_learn_folder(running.folder / device, samples_at(cx, count=SAMPLES))
            running.add_node(device, environment={GATE: str(gate)})
        running.wait_online()
        yield running


def gate_of(network: FlowerNetwork, device: str) -> Path:
    return network.folder.parent / f"gate-{device}"


def planned(network: FlowerNetwork, run: str, **settings: Any) -> Path:
    """A run folder that the server app finds; training of it leaves new marks."""
    folder = network.runs / run
    make_run(folder, dict.fromkeys(PLACES, SAMPLES), **settings)
    (folder / "nodes.json").write_text(network.nodes_file())
    for device in PLACES:
        (gate_of(network, device) / "started").unlink(missing_ok=True)
    return folder


def status_of(folder: Path) -> RunStatus:
    return RunStatus.model_validate_json((folder / "status.json").read_bytes())


def kinds(folder: Path) -> list[str]:
    return [line.kind for line in read_ledger(folder / "ledger.jsonl")]


def test_a_killed_superlink_comes_back_and_the_run_ends_as_if_nothing_was(
    network: FlowerNetwork, tmp_path: Path
) -> None:
    folder = planned(network, "link-killed", deadline_s=400.0)
    flower_run = network.launch("link-killed")
    network.wait_for("the first round ends", folder / "global" / "round-001.f32", wait_s=300)

    network.kill("superlink")
    network.start_link()
    ended = network.wait_finished(flower_run, wait_s=400)

    assert ended == "finished:completed"
    assert status_of(folder).state is RunState.CANDIDATE
    assert verify_ledger(folder / "ledger.jsonl").is_intact
    expected = learned_in_process(tmp_path, "link-killed")
    assert np.allclose(weights_after(folder, 2), expected, rtol=0, atol=1e-6)


def test_after_a_kill_of_the_server_app_a_new_run_goes_on_at_the_last_finished_round(
    network: FlowerNetwork, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"batch_norm": BatchNorm.LOCAL, "rounds": 2}
    folder = planned(network, "app-killed", deadline_s=400.0, **settings)
    network.launch("app-killed")
    network.wait_for("the first round ends", folder / "global" / "round-001.f32", wait_s=300)

    network.kill_server_app()
    ended = network.wait_finished(network.launch("app-killed"), wait_s=400)

    assert ended == "finished:completed"
    assert kinds(folder).count("run_resumed") == 1
    assert verify_ledger(folder / "ledger.jsonl").is_intact
    expected = learned_in_process(tmp_path, "app-killed", **settings)
    assert np.allclose(weights_after(folder, 2), expected, rtol=0, atol=1e-6)


def test_a_round_goes_on_without_a_node_that_was_killed_in_it(network: FlowerNetwork) -> None:
    (gate_of(network, "box-3") / "hold").touch()
    folder = planned(network, "node-killed", rounds=1, quorum=2, deadline_s=90.0)
    flower_run = network.launch("node-killed")
    network.wait_for("box-3 trains", gate_of(network, "box-3") / "started", wait_s=300)

    network.kill("box-3")
    ended = network.wait_finished(flower_run, wait_s=300)

    assert ended == "finished:completed"
    (finished,) = [
        line.body for line in read_ledger(folder / "ledger.jsonl") if line.kind == "round_finished"
    ]
    verdicts = {client["device"]: client["verdict"] for client in finished["clients"]}
    assert verdicts == {"box-1": "accepted", "box-2": "accepted", "box-3": "missing"}
