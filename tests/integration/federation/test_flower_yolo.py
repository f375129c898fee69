"""YOLO11n over real SuperLink and three real SuperNodes: two rounds, end to end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from common.release.candidate import read_entry
from common.round_ledger import read_ledger, verify_ledger
from common.rounds import (
    Anchoring,
    AnchorSettings,
    LocalTraining,
    Packing,
    ParentModel,
    PlannedClient,
    RunPlan,
    RunState,
    RunStatus,
)
from edge.simulate.labels import write_labelled_frames
from edge.simulate.source_uri import parse_source
from models.catalogue import NAME, VERSION
from models.detector import load_model
from models.federated.network import layout_of_network, vector_of
from tests.fakes.flower_network import FlowerNetwork
from tests.fakes.flower_trainer import fill_learn_folder
from tests.fakes.simulated_samples import samples_of_scene

pytestmark = [
    pytest.mark.integration,
    pytest.mark.ml,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

WEIGHTS = Path("models/weights") / f"{NAME}-{VERSION}.pt"
SCENES = {
    "box-day": "simulate:junction?seed=1",
    "box-night": "simulate:junction?seed=2&light=night",
    "box-rain": "simulate:junction?seed=3&weather=rain",
}
FRAMES = 6


@pytest.fixture
def network(tmp_path: Path) -> Iterator[FlowerNetwork]:
    with FlowerNetwork(tmp_path / "network") as running:
        for device, scene in SCENES.items():
            samples = samples_of_scene(scene, tmp_path / device, frames=FRAMES)
            fill_learn_folder(running.folder / device, samples)
            running.add_node(device)
        running.wait_online()
        yield running


def make_server_set(folder: Path) -> Path:
    """Labelled frames of a place that no box sees; gives the folder above the set."""
    root = folder / "square"
    source = parse_source("simulate:junction?seed=9&vehicles=12")
    write_labelled_frames(source, root / "train", frames=FRAMES)
    shutil.move(root / "train" / "data.yaml", root / "data.yaml")
    return folder


def make_plan(folder: Path) -> RunPlan:
    folder.mkdir()
    shutil.copyfile(WEIGHTS, folder / "parent.pt")
    plan = RunPlan(
        run=folder.name,
        created_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
        parent=ParentModel(
            name=NAME,
            version=VERSION,
            sha256=sha256(WEIGHTS.read_bytes()).hexdigest(),
            file=Path("parent.pt"),
        ),
        clients=tuple(PlannedClient(device=device, samples=FRAMES) for device in SCENES),
        rounds=2,
        quorum=3,
        deadline_s=300.0,
        packing=Packing.INT8,
        local=LocalTraining(image_px=160, batch=3, most_samples=FRAMES),
        anchor=AnchorSettings(
            kind=Anchoring.REPLAY, data=make_server_set(folder.parent / "server"), steps=1
        ),
    )
    (folder / "plan.json").write_text(plan.model_dump_json())
    return plan


def test_yolo_learns_two_rounds_over_the_wire(network: FlowerNetwork) -> None:
    folder = network.runs / "yolo"
    plan = make_plan(folder)
    (folder / "nodes.json").write_text(network.nodes_file())

    ended = network.wait_finished(network.launch("yolo"), wait_s=600)

    assert ended == "finished:completed"
    status = RunStatus.model_validate_json((folder / "status.json").read_bytes())
    # Nobody gave it labelled sets to be measured on, so nobody may run it.
    assert (status.state, status.round) == (RunState.REJECTED, 2)
    assert verify_ledger(folder / "ledger.jsonl").is_intact
    clients = [line.body for line in read_ledger(folder / "ledger.jsonl") if line.kind == "client"]
    assert {client["verdict"] for client in clients} <= {"accepted", "capped"}
    assert len(clients) == 6
    # Each was asked about the server's pictures, and nobody mixes up what stands there.
    assert all(client["class_rise"] < plan.screening.most_confused for client in clients)
    assert all(client["class_rise"] != 0 for client in clients)
    assert max(client["sent_bytes"] for client in clients) <= 1_400_000
    model = load_model(folder / "parent.pt", allow_download=False)
    parent = vector_of(model, layout_of_network(model))
    learned = np.fromfile(folder / "global" / "round-002.f32", dtype="<f4")
    assert learned.shape == parent.shape
    assert np.isfinite(learned).all()
    assert 0 < np.linalg.norm(learned - parent) < 0.1 * np.linalg.norm(parent)
    lineage = read_entry(folder / "candidate")
    assert (lineage.run, lineage.rounds, lineage.parent_sha256) == ("yolo", 2, plan.parent.sha256)
    assert [client.rounds for client in lineage.clients] == [2, 2, 2]
    assert json.loads((folder / "candidate" / "verdict.json").read_text())["passed"] is False
