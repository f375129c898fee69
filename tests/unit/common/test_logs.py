from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UnreachableError
from common.logs import LogLevel, redact, set_up_logs, without_credentials

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("rtsp://10.0.0.5/stream1", "rtsp://10.0.0.5/stream1", id="nothing to hide"),
        pytest.param("rtsp://u:p@10.0.0.5/s", "rtsp://10.0.0.5/s", id="user and password"),
        pytest.param("rtsp://u:p@ss@10.0.0.5/s", "rtsp://10.0.0.5/s", id="@ in the password"),
        pytest.param("rtsp://u:a/b@10.0.0.5/s", "rtsp://10.0.0.5/s", id="/ in the password"),
        pytest.param("rtsp://:p@10.0.0.5/s", "rtsp://10.0.0.5/s", id="password alone"),
        pytest.param("rtsp://key@10.0.0.5/s", "rtsp://10.0.0.5/s", id="user alone"),
        pytest.param("rtsp://h:554/cam@1", "rtsp://h:554/cam@1", id="@ in the path"),
        pytest.param(
            "no route to rtsp://a:b@h/1 and rtsp://c:d@h/2",
            "no route to rtsp://h/1 and rtsp://h/2",
            id="two in one sentence",
        ),
        pytest.param(
            "http://h/v?user=x&pwd=y&channel=1",
            "http://h/v?user=x&pwd=[redacted]&channel=1",
            id="password as a parameter",
        ),
        pytest.param(
            "rtsp://h:554/user=x_password=y_channel=1.sdp",
            "rtsp://h:554/user=x_password=[redacted]",
            id="password as a piece of the path",
        ),
        pytest.param("mail to city@example.org", "mail to city@example.org", id="no URL"),
    ],
)
def test_credentials_are_taken_out_of_urls(text: str, clean: str) -> None:
    assert without_credentials(text) == clean


@given(
    user=st.text(st.characters(exclude_characters='/"@:', exclude_categories=["C", "Z"])),
    password=st.text(
        st.characters(exclude_characters='/"', exclude_categories=["C", "Z"]), min_size=1
    ),
)
def test_no_password_survives_whatever_its_letters(user: str, password: str) -> None:
    assert without_credentials(f"rtsp://{user}:{password}@camera/1") == "rtsp://camera/1"


@pytest.mark.parametrize(
    ("fields", "clean"),
    [
        ({"password": "p"}, {"password": "[redacted]"}),
        ({"mqtt_Token": "t"}, {"mqtt_Token": "[redacted]"}),
        ({"api_key": "k", "frames": 7}, {"api_key": "[redacted]", "frames": 7}),
        ({"source": "rtsp://u:p@h/1"}, {"source": "rtsp://h/1"}),
        (
            {"options": {"user": "u", "secret": "s"}},
            {"options": {"user": "u", "secret": "[redacted]"}},
        ),
        ({"sources": ["rtsp://u:p@h/1", 2]}, {"sources": ["rtsp://h/1", 2]}),
        ({"error": UnreachableError("rtsp://u:p@h is away")}, {"error": "rtsp://h is away"}),
        ({"path": Path("clip.mp4")}, {"path": Path("clip.mp4")}),
        ({"seen": None, "ok": True, "fps": 24.5}, {"seen": None, "ok": True, "fps": 24.5}),
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_secret_fields_are_replaced_at_any_depth(
    fields: dict[str, Any], clean: dict[str, Any]
) -> None:
    assert redact(None, "info", fields) == clean


def test_an_event_is_one_line_of_json_with_level_and_utc_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs(level=LogLevel.INFO, as_json=True)

    structlog.get_logger().bind(camera_id="cam-1").info(
        "source_opened", fps=25, source="rtsp://a:b@h"
    )

    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "camera_id": "cam-1",
        "event": "source_opened",
        "fps": 25,
        "level": "info",
        "source": "rtsp://h",
    }


def test_events_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level=LogLevel.WARNING)
    log = structlog.get_logger()

    log.info("frame_read")
    log.warning("frame_dropped")

    written = capsys.readouterr().err
    assert "frame_read" not in written
    assert "frame_dropped" in written


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "for people"])
def test_a_traceback_is_written_without_credentials(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    set_up_logs(level=LogLevel.INFO, as_json=as_json)
    error = UnreachableError("rtsp://admin:hunter2@h is away")

    structlog.get_logger().error("stage_failed", exc_info=error)

    written = capsys.readouterr().err
    assert "stage_failed" in written
    assert "rtsp://h is away" in written
    assert "hunter2" not in written
