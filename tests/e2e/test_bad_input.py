"""Whatever an operator gets wrong is answered with one clear line and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.cli import build_app, run
from tests.fakes.tiny_onnx import write_tiny_onnx

SITE = """
site: test
cameras:
  - id: cam
    frame_size: [640, 360]
    sections:
      - {name: a, line: [[10, 200], [600, 200]]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "outside.yaml").write_text(SITE.replace("600, 200", "700, 200"))
    (tmp_path / "no_size.yaml").write_text(SITE.replace("    frame_size: [640, 360]\n", ""))
    (tmp_path / "no_line.yaml").write_text(SITE.split("    sections", maxsplit=1)[0])
    (tmp_path / "typo.yaml").write_text(SITE.replace("sections", "sektions"))
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 100)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.onnx").write_text("this is not a model")
    (tmp_path / "other.json").write_text('{"width": 640}')
    line = {"name": "a", "p1": [5, 5], "p2": [5, 50]}
    truth = {"width": 320, "height": 180, "lines": [line]}
    (tmp_path / "lines.json").write_text(json.dumps(truth))
    line["p2"] = [5, 5]
    (tmp_path / "point.json").write_text(json.dumps(truth))
    write_tiny_onnx(tmp_path / "tiny.onnx")
    return tmp_path


ROAD = "simulate:road?seed=1&duration=2&size=320x180"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        pytest.param(
            ["count", "clip.mp4", "--site", "none.yaml"],
            3,
            "site file none.yaml does not exist",
            id="no site file",
        ),
        pytest.param(
            ["count", "clip.mp4", "--site", "no_size.yaml"],
            3,
            "cameras.0.frame_size is missing",
            id="a missing key",
        ),
        pytest.param(
            ["count", "clip.mp4", "--site", "typo.yaml"],
            3,
            "cameras.0.sektions is not a known key",
            id="a misspelt key",
        ),
        pytest.param(
            ["count", "clip.mp4", "--site", "outside.yaml"],
            3,
            "[700, 200] outside the frame, expected 0 to 640 and 0 to 360",
            id="a section outside the frame",
        ),
        pytest.param(
            ["count", "clip.mp4", "--site", "no_line.yaml"],
            3,
            "camera 'cam' has no counting line",
            id="nothing to count at",
        ),
        pytest.param(["count", "clip.mp4"], 3, "nothing says where to count", id="no lines at all"),
        pytest.param(
            ["count", "none.mp4", "--site", "site.yaml", "--model", "tiny.onnx"],
            3,
            "none.mp4",
            id="no such clip",
        ),
        pytest.param(
            ["count", "text.mp4", "--site", "site.yaml", "--model", "tiny.onnx"],
            3,
            "text.mp4 is not a video",
            id="not a video",
        ),
        pytest.param(
            ["count", "empty.mp4", "--site", "site.yaml", "--model", "tiny.onnx"],
            3,
            "empty.mp4",
            id="an empty file",
        ),
        pytest.param(["count", ROAD, "--model", "none.onnx"], 6, "none.onnx", id="no such model"),
        pytest.param(["count", ROAD, "--model", "text.onnx"], 3, "text.onnx", id="not a model"),
        pytest.param(
            ["count", ROAD, "--model", "best.pt"], 3, "training checkpoint", id="not exported"
        ),
        pytest.param(
            ["count", ROAD, "--model", "tiny.onnx", "--backend", "npu"],
            3,
            "backend 'npu' is unknown, expected one of onnx",
            id="no such backend",
        ),
        pytest.param(
            ["count", ROAD, "--model", "tiny.onnx", "--backend", "onnx-cuda"],
            3,
            "asked onnxruntime for CUDAExecutionProvider",
            id="a backend that is not there",
        ),
        pytest.param(
            ["count", "simulate:roundabout", "--model", "tiny.onnx"],
            3,
            "roundabout",
            id="no such scene",
        ),
        pytest.param(
            ["count", ROAD, "--model", "tiny.onnx", "--truth", "other.json"],
            3,
            "truth file other.json: height is missing",
            id="not a truth file",
        ),
        pytest.param(
            [
                "count",
                "rtsp://user:secret@127.0.0.1:9/x",
                "--site",
                "site.yaml",
                "--model",
                "tiny.onnx",
            ],
            5,
            "127.0.0.1:9",
            id="nobody there",
        ),
        pytest.param(
            ["count", ROAD, "--model", "tiny.onnx", "--report", "none/out.json"],
            3,
            "none/out.json cannot be written, folder none does not exist",
            id="a report into nowhere",
        ),
        pytest.param(
            ["count", ROAD, "--model", "tiny.onnx", "--annotate", "out.webm"],
            3,
            "annotated video out.webm cannot be written",
            id="a video that cannot hold the codec",
        ),
        pytest.param(
            ["count", ROAD, "--model", "tiny.onnx", "--truth", "lines.json"],
            3,
            "the truth file has the lines ['a']",
            id="a truth of other lines",
        ),
        pytest.param(
            ["count", "x.mp4", "--model", "tiny.onnx", "--truth", "point.json"],
            3,
            "both are (5.0, 5.0)",
            id="a truth with a point for a line",
        ),
        pytest.param(["simulate", ROAD], 3, "nothing to write", id="nothing asked for"),
        pytest.param(
            ["simulate", "simulate:road?seed=1", "--truth", "t.json"],
            3,
            "has no end",
            id="a truth without an end",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_exit_code(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    exit_code: int,
    says: str,
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(build_app(), ["edge", *arguments])

    lines = capsys.readouterr().err.strip().splitlines()
    assert stopped.value.code == exit_code
    assert says in lines[-1] + lines[-2 if len(lines) > 1 else -1]
    assert "secret" not in "".join(lines)
    assert not any("Traceback" in line for line in lines)


@pytest.mark.e2e
def test_a_scene_is_written_as_labels_truth_and_site_file(folder: Path) -> None:
    arguments = ["simulate", ROAD, "--labels", "labels", "--frames", "3"]

    with pytest.raises(SystemExit) as stopped:
        run(build_app(), ["edge", *arguments, "--truth", "t.json", "--site", "s.yaml"])

    assert stopped.value.code == 0
    assert len(list(folder.glob("labels/**/*.txt"))) == 3
    with pytest.raises(SystemExit) as stopped:
        run(
            build_app(),
            [
                "edge",
                "count",
                ROAD,
                "--site",
                "s.yaml",
                "--truth",
                "t.json",
                "--model",
                "tiny.onnx",
            ],
        )
    assert stopped.value.code == 0
