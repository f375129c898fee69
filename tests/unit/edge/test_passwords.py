from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ConfigError
from edge.passwords import Passwords

pytestmark = pytest.mark.unit

RTSP = "rtsp://user:${CAMERA_PASSWORD}@10.0.0.5/1"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    path = tmp_path / "secrets"
    path.touch(mode=0o600)
    return path


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        pytest.param("rtsp://10.0.0.5/1", "rtsp://10.0.0.5/1", id="nothing to fill"),
        pytest.param(RTSP, "rtsp://user:p%40ss%2Fw@10.0.0.5/1", id="an address is encoded"),
        pytest.param(
            "gst:src key=${CAMERA_PASSWORD} !", "gst:src key=p@ss/w !", id="others are not"
        ),
        pytest.param("rtsp://u:a$b@10.0.0.5/1", "rtsp://u:a$b@10.0.0.5/1", id="a plain dollar"),
    ],
)
def test_names_in_a_source_are_replaced(source: str, filled: str) -> None:
    passwords = Passwords(environment={"CAMERA_PASSWORD": "p@ss/w"})

    assert passwords.filled(source) == filled


def test_the_file_goes_before_the_environment_and_is_read_anew(secrets: Path) -> None:
    passwords = Passwords(secrets_file=secrets, environment={"CAMERA_PASSWORD": "old"})
    before = passwords.filled(RTSP)
    secrets.write_text("# cameras\n\nCAMERA_PASSWORD = a=b\n")

    after = passwords.filled(RTSP)

    assert before == "rtsp://user:old@10.0.0.5/1"
    assert after == "rtsp://user:a%3Db@10.0.0.5/1"


@pytest.mark.parametrize("value", [None, ""])
def test_a_name_that_is_not_set_is_told_with_the_places_to_set_it(
    secrets: Path, value: str | None
) -> None:
    environment = {} if value is None else {"CAMERA_PASSWORD": value}
    passwords = Passwords(secrets_file=secrets, environment=environment)

    with pytest.raises(
        ConfigError, match=r"\$\{CAMERA_PASSWORD\} in a source is not set"
    ) as refused:
        passwords.filled(RTSP)

    assert str(secrets) in str(refused.value)
    assert "CAMERA_PASSWORD=" in refused.value.hint


def test_a_file_that_others_can_read_is_refused(secrets: Path) -> None:
    secrets.write_text("CAMERA_PASSWORD=hidden\n")
    secrets.chmod(0o640)

    with pytest.raises(ConfigError, match="has mode 0640, expected 0600") as refused:
        Passwords(secrets_file=secrets, environment={}).filled(RTSP)

    assert refused.value.hint == f"run: chmod 600 {secrets}"


@pytest.mark.parametrize(
    ("content", "source", "message"),
    [
        pytest.param("just-a-password", RTSP, "line 1: expected NAME=value", id="no name"),
        pytest.param("A=1", "rtsp://u:${}@h/1", "is not a name", id="empty name"),
        pytest.param("A=1", "rtsp://u:${A B}@h/1", "is not a name", id="name with a space"),
    ],
)
def test_mistakes_are_named_without_showing_the_secret(
    secrets: Path, content: str, source: str, message: str
) -> None:
    secrets.write_text(content)

    with pytest.raises(ConfigError, match=message) as refused:
        Passwords(secrets_file=secrets, environment={}).filled(source)

    assert "just-a-password" not in str(refused.value)


def test_a_missing_file_is_told_only_when_a_secret_is_needed(tmp_path: Path) -> None:
    passwords = Passwords(secrets_file=tmp_path / "absent", environment={})

    assert passwords.filled("rtsp://10.0.0.5/1") == "rtsp://10.0.0.5/1"
    with pytest.raises(ConfigError, match="absent cannot be read"):
        passwords.filled(RTSP)
