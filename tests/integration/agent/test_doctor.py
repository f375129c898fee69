"""A box with one thing wrong at a time → the finding that names it, and what to do."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from edge.agent_commands import doctor
from edge.checks.doctor import Finding, Verdict, examine, exit_code
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.bins import MinuteBin, Quality
from tests.fakes.clocks import StandingClock
from tests.fakes.tiny_onnx import write_tiny_onnx
from tests.integration.capture.conftest import RtspServer

pytestmark = [pytest.mark.integration, pytest.mark.ml]

LINE = {"name": "mid", "line": [[80, 10], [80, 80]]}
SCENE = "simulate:road?seed=1&size=160x90&fps=5&duration=20"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WriteBox = Callable[..., Path]


@pytest.fixture
def write_box(tmp_path: Path) -> WriteBox:
    """A box where everything is right, but for what a test changes."""
    write_tiny_onnx(tmp_path / "tiny-1.0.onnx")

    def write(source: str = SCENE, *, camera: dict[str, Any] | None = None, **config: Any) -> Path:
        fields = {"id": "north", "source": source, "frame_size": [160, 90], "sections": [LINE]}
        site = {"site": "here", "cameras": [{**fields, **(camera or {})}]}
        settings = {"site_file": "site.yaml", "data_folder": "data", "model": "tiny-1.0.onnx"}
        (tmp_path / "site.yaml").write_text(yaml.safe_dump(site))
        path = tmp_path / "edge.yaml"
        path.write_text(yaml.safe_dump({**settings, **config}))
        return path

    return write


def look(config: Path, *, offline: bool = False) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(config, offline=offline)}


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_a_box_where_everything_is_right_passes(write_box: WriteBox) -> None:
    findings = look(write_box())

    assert list(findings) == ["config", "model", "backend", "source north", "disk", "clock"]
    assert not [f for f in findings.values() if f.verdict is Verdict.FAIL]
    assert exit_code(findings.values()) == 0
    assert findings["model"].message.startswith("tiny 1.0, ")
    assert findings["source north"].message.startswith("160x90, 5.0 fps, brightness 0.")


@pytest.mark.parametrize(
    ("box", "check", "message", "code"),
    [
        pytest.param({"stroe": {}}, "config", "stroe is not a known key", 3, id="typing error"),
        pytest.param({"site_file": "no.yaml"}, "config", "no.yaml does not exist", 3, id="no site"),
        pytest.param({"cameras": ["west"]}, "config", "'west' is not in site", 3, id="no camera"),
        pytest.param(
            {"source": "rtsp://u:${UNSET_FOR_SURE}@127.0.0.1/1"},
            "secrets north",
            "${UNSET_FOR_SURE} in a source is not set",
            3,
            id="secret not set",
        ),
        pytest.param({"model": "nonsuch"}, "model", "'nonsuch' is neither", 6, id="no model"),
        pytest.param(
            {"backend": "onnx-cuda"}, "backend", "CUDAExecutionProvider", 3, id="no such backend"
        ),
        pytest.param(
            {"source": "clip.mp4"}, "source north", "clip.mp4 does not exist", 3, id="no clip"
        ),
        pytest.param(
            {"data_folder": "site.yaml"}, "disk", "cannot be written", 5, id="folder is a file"
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_exit_code(
    write_box: WriteBox, box: dict[str, Any], check: str, message: str, code: int
) -> None:
    findings = look(write_box(**box))

    assert findings[check].verdict is Verdict.FAIL
    assert message in findings[check].message
    assert findings[check].advice or check == "config"
    assert exit_code(findings.values()) == code


def test_a_camera_that_does_not_answer_fails_unless_offline(write_box: WriteBox) -> None:
    config = write_box(f"rtsp://127.0.0.1:{closed_port()}/cam")

    online, offline = look(config), look(config, offline=True)

    assert "cannot be reached" in online["source north"].message
    assert exit_code(online.values()) == 5
    assert "source north" not in offline
    assert exit_code(offline.values()) == 0


def test_a_wrong_password_is_told_and_not_shown(
    rtsp_server: RtspServer, write_box: WriteBox
) -> None:
    rtsp_server.start("viewer", "right")

    findings = look(write_box(rtsp_server.address("viewer:h0rse@")))

    assert "refused user or password" in findings["source north"].message
    assert "h0rse" not in str(findings)
    assert exit_code(findings.values()) == 3


@pytest.mark.parametrize(
    ("box", "check", "message"),
    [
        pytest.param(
            {"camera": {"frame_size": [160, 160], "sections": [LINE]}},
            "source north",
            "frame_size 160x160 has another shape",
            id="drawn on another picture",
        ),
        pytest.param(
            {"store": {"max_mb": 1_000_000}}, "disk", "the store may grow by", id="little disk"
        ),
    ],
)
def test_what_may_go_wrong_is_a_warning_and_no_failure(
    write_box: WriteBox, box: dict[str, Any], check: str, message: str
) -> None:
    findings = look(write_box(**box))

    assert findings[check].verdict is Verdict.WARN
    assert message in findings[check].message
    assert exit_code(findings.values()) == 0


def test_what_the_store_lost_is_told_and_a_damaged_one_fails(
    write_box: WriteBox, tmp_path: Path
) -> None:
    config = write_box()
    (tmp_path / "data").mkdir()
    limits = StoreLimits(max_days=30, max_bytes=10_000_000)
    store = BinStore(tmp_path / "data" / "bins.sqlite", limits=limits, clock=StandingClock(NOON))
    store.add([nothing_seen()])
    store.note_lost("north", "not_written", [NOON])
    findings = [f for f in examine(config, offline=True) if f.check == "store"]
    store.close()
    (tmp_path / "data" / "bins.sqlite").write_bytes(b"rubbish" * 1000)

    damaged = look(config, offline=True)["store"]

    assert [f.verdict for f in findings] == [Verdict.PASS, Verdict.WARN]
    assert findings[0].message == "1 bins, newest 2026-03-01T12:00:00+00:00"
    assert findings[1].message == "lost: north not_written 1 bins"
    assert (damaged.verdict, damaged.exit_code) == (Verdict.FAIL, 3)
    assert (tmp_path / "data" / "bins.sqlite").read_bytes() == b"rubbish" * 1000


def nothing_seen() -> MinuteBin:
    return MinuteBin(
        camera_id="north",
        start=NOON,
        coverage_s=0,
        frames_seen=0,
        frames_dropped=0,
        unassigned_share=None,
        brightness=None,
        quality=Quality.NO_DATA,
    )


def test_the_command_prints_findings_for_people_and_for_programs(write_box: WriteBox) -> None:
    app = typer.Typer()
    app.command()(doctor)
    config = str(write_box(model="nonsuch"))

    told = CliRunner().invoke(app, ["--config", config, "--offline"])
    printed = CliRunner().invoke(app, ["--config", config, "--offline", "--json"])

    assert told.exit_code == printed.exit_code == 6
    assert "fail  model: model 'nonsuch' is neither" in told.stdout
    assert "      → give a path to an .onnx file" in told.stdout
    checks = {check["check"]: check["verdict"] for check in json.loads(printed.stdout)["checks"]}
    assert checks["config"] == "pass"
    assert checks["model"] == "fail"
