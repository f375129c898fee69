"""The benches run on real files and print what they promise; no time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from common.truth import load_truth
from edge.container import edge_container
from edge.counting.benchmark import benchmark, benchmark_camera
from edge.counting.scene_files import Wanted, write_scene
from edge.simulate.source import SimulatedSource
from edge.simulate.source_uri import parse_source
from models.baseline import run_baseline, to_dict
from models.benchmark import Rival, compare_counts, counts_table, measure_pipeline
from tests.fakes.tiny_onnx import write_tiny_onnx

SCENE = "simulate:road?seed=5&duration=5&size=640x360&fps=10&vehicles=20"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the benches want it, with one short simulated clip."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "clips").mkdir()
    (folder / "truth").mkdir()
    write_scene(SCENE, Wanted(truth=folder / "truth" / "road.json"))
    with av.open(str(folder / "clips" / "road.mp4"), "w") as video:
        stream = video.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for frame in SimulatedSource(parse_source(SCENE)).frames():
            video.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="bgr24")))
        video.mux(stream.encode())
    return folder


@pytest.mark.ml
@pytest.mark.slow
@pytest.mark.e2e
def test_counts_are_compared_with_the_off_the_shelf_chain(clips: Path, shared_data: Path) -> None:
    results = compare_counts(clips, model=None, baseline_model=shared_data / "weights/yolo11n.pt")

    rows = counts_table(results)
    true = sum(len(line.events) for line in load_truth(clips / "truth" / "road.json").lines)
    assert [row["clip"] for row in rows] == ["road", "all"]
    assert rows[-1]["ours"]["true"] == rows[-1]["off_the_shelf"]["true"] == true > 0


@pytest.mark.ml
@pytest.mark.slow
@pytest.mark.e2e
def test_the_off_the_shelf_chain_counts_side_changes(clips: Path, shared_data: Path) -> None:
    truth = load_truth(clips / "truth" / "road.json")

    run = run_baseline(
        clips / "clips" / "road.mp4", model=shared_data / "weights" / "yolo11n.pt", truth=truth
    )

    assert run.frames == 50
    assert run.fps > 0
    assert {event["section"] for event in to_dict(run)["events"]} <= {
        line.name for line in truth.lines
    }


@pytest.mark.e2e
def test_the_pipeline_is_measured_against_the_network_alone(clips: Path, tmp_path: Path) -> None:
    source = str(clips / "clips" / "road.mp4")
    container = edge_container(model=str(write_tiny_onnx(tmp_path / "tiny.onnx")))

    result = benchmark(container, benchmark_camera(source, site=None, camera_id=None), rounds=1)

    assert result["frames"] == 50
    assert result["input"] == "640x384"
    assert result["ratio"] == pytest.approx(
        result["pipeline_fps"] / result["bare_inference_fps"], abs=0.01
    )
    assert set(result["latency_ms"]) == {"p50", "p95", "p99"}
    assert json.dumps(result)


@pytest.mark.ml
@pytest.mark.slow
@pytest.mark.e2e
def test_the_chains_take_turns(clips: Path) -> None:
    source = str(clips / "clips" / "road.mp4")
    packaged = Path(__file__).parents[2] / "models" / "weights" / "its-yolo11n-1.0.0.onnx"

    result = measure_pipeline(
        source, model=None, rounds=1, baseline=[Rival(name="same", model=packaged)]
    )

    assert result["model"] == "its-yolo11n"
    assert result["off_the_shelf"]["same"]["fps"] > 0
