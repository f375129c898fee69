from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from common.errors import ConfigError
from common.site import Site
from edge.anonymise.settings import PrivacySettings
from edge.config import CoordinatorSettings, EdgeConfig, load_config
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.unit

LINE = {"name": "mid", "line": [[10, 10], [90, 90]]}
CAMERA = {
    "id": "north",
    "source": "rtsp://10.0.0.5/1",
    "frame_size": [100, 100],
    "sections": [LINE],
}


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.yaml"
    path.write_text(text)
    return path


def test_two_keys_are_enough_and_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "site_file: site.yaml\ndata_folder: /var/lib/its\n"))

    assert config.site_file == tmp_path / "site.yaml"
    assert config.data_folder == Path("/var/lib/its")
    assert config.store_file == Path("/var/lib/its/bins.sqlite")
    assert (config.backend, config.threads, config.cameras, config.model) == ("onnx", 0, None, None)
    assert (config.store.max_days, config.store.max_mb, config.health.every_s) == (30, 1000, 10)


def test_a_packaged_model_stays_a_name_and_a_file_becomes_a_path(tmp_path: Path) -> None:
    head = "site_file: site.yaml\ndata_folder: data\nmodel: "

    named = load_config(write(tmp_path, head + "its-yolo11n"))
    filed = load_config(write(tmp_path, head + "mine.onnx"))

    assert named.model == "its-yolo11n"
    assert filed.model == str(tmp_path / "mine.onnx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("data_folder: data", "site_file is missing", id="key missing"),
        pytest.param(
            "{site_file: a, data_folder: b, stroe: {}}",
            "stroe is not a known key",
            id="typing error",
        ),
        pytest.param(
            "{site_file: a, data_folder: b, store: {max_mb: 0}}", "store.max_mb is 0", id="no room"
        ),
        pytest.param(
            "{site_file: a, data_folder: b, cameras: []}", "cameras is", id="empty list of cameras"
        ),
        pytest.param(
            "{site_file: a, data_folder: b, plates_on_request: true}",
            "privacy.face_model is missing, expected a face detector",
            id="pictures without a face detector",
        ),
        pytest.param("{site_file: a", "is not YAML", id="not YAML"),
        pytest.param("- a list", "file is", id="a list"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        load_config(write(tmp_path, text))

    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"edge\.yaml does not exist"):
        load_config(tmp_path / "edge.yaml")


def config_for(cameras: tuple[str, ...] | None = None) -> EdgeConfig:
    return EdgeConfig(site_file=Path("s"), data_folder=Path("d"), cameras=cameras)


def test_all_cameras_run_unless_some_are_named() -> None:
    site = Site.model_validate({"site": "here", "cameras": [CAMERA, {**CAMERA, "id": "south"}]})

    assert [camera.id for camera in config_for().cameras_of(site)] == ["north", "south"]
    assert [camera.id for camera in config_for(("south",)).cameras_of(site)] == ["south"]


@pytest.mark.parametrize(
    ("changes", "wanted", "message"),
    [
        pytest.param({}, ("west",), "camera 'west' is not in site 'here'", id="unknown camera"),
        pytest.param({"source": ""}, None, "'north' has no source", id="no source"),
        pytest.param({"sections": []}, None, "'north' has no sections", id="nothing to count"),
    ],
)
def test_a_camera_that_cannot_run_is_named(
    changes: dict[str, object], wanted: tuple[str, ...] | None, message: str
) -> None:
    site = Site.model_validate({"site": "here", "cameras": [{**CAMERA, **changes}]})

    with pytest.raises(ConfigError, match=message):
        config_for(wanted).cameras_of(site)


def test_the_example_is_valid_with_and_without_its_defaults(tmp_path: Path) -> None:
    example = (REPOSITORY / "docs" / "edge.example.yaml").read_text()
    shown = yaml.safe_load(
        "\n".join(line.removeprefix("# ") for line in example.splitlines() if _is_key(line))
    )

    config = load_config(write(tmp_path, example))
    full = load_config(write(tmp_path, yaml.safe_dump(shown)))

    assert config.store == full.store
    assert config.health == full.health
    assert config.coordinator is None
    assert full.coordinator is not None
    shown_defaults = full.coordinator.model_dump(exclude={"identity_folder", "protocol"})
    assert shown_defaults == CoordinatorSettings().model_dump(
        exclude={"identity_folder", "protocol"}
    )
    assert full.identity_folder == tmp_path / "identity"
    assert set(shown["coordinator"]) == set(CoordinatorSettings.model_fields)
    assert config.privacy == PrivacySettings()
    assert full.privacy.of("cam-north").withhold_below == 5
    assert set(shown["privacy"]) == set(PrivacySettings.model_fields)
    assert set(shown) == set(EdgeConfig.model_fields)


def _is_key(line: str) -> bool:
    found = re.match(r"(?:# )?( *)([a-z][a-z0-9_-]*):( |$)", line)
    if found is None:
        return False
    indent, name, _ = found.groups()
    is_prose = line.startswith(("# every_s:", "# no_progress_s:"))
    return bool(indent) or (name in EdgeConfig.model_fields and not is_prose)
