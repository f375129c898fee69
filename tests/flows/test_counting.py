from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import pytest

from common.truth import Truth, compare, totals
from edge.counting.annotate import AnnotatedVideo
from edge.counting.count import count_source
from edge.counting.preview import site_preview
from edge.counting.report import to_report, write_events, write_report
from edge.counting.tables import show_comparison, show_count
from edge.simulate.source_uri import parse_source
from edge.simulate.truth import scene_truth
from tests.fakes.tiny_onnx import write_tiny_onnx
from tests.flows.conftest import Seeing

ROAD = "simulate:road?seed=1&duration=20&size=640x360&vehicles=12"
JUNCTION = "simulate:junction?seed=7&duration=40&size=640x360"


@pytest.mark.e2e
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(ROAD, id="road"),
        pytest.param(JUNCTION, id="junction"),
        pytest.param(JUNCTION.replace("seed=7", "seed=11"), id="another junction"),
        pytest.param(f"{ROAD}&fps=8", id="few frames a second"),
    ],
)
def test_with_a_perfect_detector_the_count_is_the_truth(seeing: Seeing, source: str) -> None:
    container, camera = seeing(source)
    truth = Truth.model_validate(scene_truth(parse_source(source)))

    count = count_source(container, camera)

    total = totals(compare(count.events, truth, duration_s=count.duration_s))
    assert total["true"] > 0
    assert (total["missed"], total["false"], total["wrong_class"]) == (0, 0, 0)


@pytest.mark.e2e
def test_the_report_has_a_row_for_every_line_direction_and_class(
    seeing: Seeing, tmp_path: Path
) -> None:
    container, camera = seeing(ROAD)
    count = count_source(container, camera)
    report = to_report(count)
    path = tmp_path / "report.json"

    write_report(report, path)

    lines = [section for section in camera.sections if section.line]
    assert len(report["sections"]) == len(lines) * 2 * 6
    assert sum(row["count"] for row in report["sections"]) == len(report["events"]) > 0
    assert report["frames"] == {"read": 300, "processed": 300, "dropped": 0}
    assert {"source", "camera", "duration_s", "wall_s", "model", "flows", "bins", "quality"} <= set(
        json.loads(path.read_text())
    )


@pytest.mark.e2e
def test_the_bins_hold_every_event_once(seeing: Seeing) -> None:
    container, camera = seeing(JUNCTION)

    report = to_report(count_source(container, camera))

    binned = sum(
        sum(section["counts"].values())
        for one in report["bins"]
        for section in one["sections"]
        if section["counts"] is not None
    )
    assert binned == len(report["events"])


@pytest.mark.e2e
def test_events_are_written_as_csv_in_time_order(seeing: Seeing, tmp_path: Path) -> None:
    container, camera = seeing(ROAD)
    report = to_report(count_source(container, camera))

    write_events(report["events"], tmp_path / "events.csv")

    with (tmp_path / "events.csv").open() as file:
        rows = list(csv.DictReader(file))
    times = [float(row["time_s"]) for row in rows]
    assert len(rows) == len(report["events"])
    assert times == sorted(times)


@pytest.mark.e2e
def test_the_annotated_video_has_every_frame_at_its_time(seeing: Seeing, tmp_path: Path) -> None:
    container, camera = seeing("simulate:road?seed=1&duration=4&size=640x360&fps=10")
    path = tmp_path / "out.mp4"

    with AnnotatedVideo(path, camera) as video:
        count_source(container, camera, video=video)

    with av.open(str(path)) as written:
        times = [frame.time for frame in written.decode(video=0)]
    assert times == pytest.approx([i / 10 for i in range(40)], abs=0.002)


@pytest.mark.e2e
def test_the_site_preview_shows_the_lines_and_nobody(seeing: Seeing, tmp_path: Path) -> None:
    container, camera = seeing("simulate:road?seed=1&duration=20&size=640x360&vehicles=10")
    path = tmp_path / "preview.png"

    site_preview(container, camera, path)

    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == (360, 640, 3)


@pytest.mark.e2e
def test_the_tables_say_what_was_counted_and_what_was_wrong(
    seeing: Seeing, capsys: pytest.CaptureFixture[str]
) -> None:
    container, camera = seeing(ROAD)
    truth = Truth.model_validate(scene_truth(parse_source(ROAD)))
    count = count_source(container, camera)

    show_count(count)
    show_comparison(compare(count.events[1:], truth, duration_s=count.duration_s))

    shown = capsys.readouterr().out
    assert "300 frames, 0 dropped" in shown
    assert "1 missed, 0 false" in shown
    assert f"missed: {count.events[0].section}" in shown


@pytest.mark.e2e
def test_a_count_can_be_stopped_early(seeing: Seeing) -> None:
    container, camera = seeing("simulate:road?seed=1&size=320x180")

    count = count_source(container, camera, duration_s=3.0)

    assert 3.0 <= count.duration_s < 3.5


@pytest.mark.e2e
def test_ctrl_c_ends_a_live_count_with_its_report(tmp_path: Path) -> None:
    model = write_tiny_onnx(tmp_path / "tiny.onnx")
    source = "simulate:road?seed=1&pace=1&size=320x180&fps=10"
    command = [sys.executable, "-m", "common.cli", "--log-level", "info", "edge", "count", source]
    with subprocess.Popen(
        [*command, "--json", "--model", str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        # The first log line comes when frames do.
        assert "camera_connected" in process.stderr.readline()
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert json.loads(shown)["frames"]["processed"] > 0
