from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import pytest

from common.errors import ConfigError, NotFoundError
from common.road_users import ROAD_USERS
from edge.detect.models import find_model
from edge.detect.onnx_metadata import read_metadata
from tests.fakes.tiny_onnx import write_tiny_onnx

pytestmark = pytest.mark.integration


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    for version in ("0.9.0", "1.9.0", "1.10.0"):
        write_tiny_onnx(tmp_path / f"its-yolo11n-{version}.onnx")
    write_tiny_onnx(tmp_path / "its-yolo11n-2.0.0-int8.onnx")
    return tmp_path


@pytest.mark.parametrize(
    ("named", "environment", "found"),
    [
        pytest.param(None, {}, "its-yolo11n-1.10.0", id="newest full precision by default"),
        pytest.param("its-yolo11n", {}, "its-yolo11n-1.10.0", id="by name"),
        pytest.param("its-yolo11n-0.9.0", {}, "its-yolo11n-0.9.0", id="by name and version"),
        pytest.param(
            "its-yolo11n-2.0.0-int8", {}, "its-yolo11n-2.0.0-int8", id="by name and variant"
        ),
        pytest.param(
            None, {"ITS_MODEL": "its-yolo11n-1.9.0"}, "its-yolo11n-1.9.0", id="by environment"
        ),
        pytest.param(
            "its-yolo11n-0.9.0",
            {"ITS_MODEL": "its-yolo11n-1.9.0"},
            "its-yolo11n-0.9.0",
            id="argument before environment",
        ),
    ],
)
def test_a_packaged_model_is_found(
    weights: Path, named: str | None, environment: dict[str, str], found: str
) -> None:
    model = find_model(named, environment=environment, weights=weights)

    assert model.path.stem == found


def test_a_path_is_taken_as_it_is(weights: Path) -> None:
    path = write_tiny_onnx(weights / "mine.onnx")

    model = find_model(str(path), environment={})

    assert model.path == path
    assert model.name == "mine"
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.version == model.sha256[:12]
    assert model.class_names == tuple(ROAD_USERS)


def test_stored_name_and_version_are_the_identity(tmp_path: Path) -> None:
    stored = {"name": "its-yolo11n", "version": "1.2.3"}
    path = write_tiny_onnx(tmp_path / "download.onnx", metadata=stored)

    model = find_model(str(path), environment={})

    assert (model.name, model.version) == ("its-yolo11n", "1.2.3")


def test_the_exporters_own_version_is_not_the_models(tmp_path: Path) -> None:
    path = write_tiny_onnx(tmp_path / "junction-2.1.onnx", metadata={"version": "8.4.190"})

    model = find_model(str(path), environment={})

    assert (model.name, model.version) == ("junction", "2.1")


@pytest.mark.parametrize(
    ("named", "error", "complaint", "hint"),
    [
        pytest.param(
            "yolo11n.pt",
            ConfigError,
            "is a training checkpoint, expected an .onnx file",
            "its-camera-ai ml export yolo11n.pt",
            id="checkpoint",
        ),
        pytest.param(
            "missing.onnx", NotFoundError, "does not exist", "path to an .onnx", id="no such file"
        ),
        pytest.param(
            "its-yolo99",
            NotFoundError,
            "'its-yolo99' is neither a file nor a packaged model, packaged are: its-yolo11n-0.9.0",
            "ITS_MODEL",
            id="no such name",
        ),
    ],
)
def test_a_model_that_is_not_there_is_explained(
    weights: Path, named: str, error: type[Exception], complaint: str, hint: str
) -> None:
    with pytest.raises(error, match=complaint) as caught:
        find_model(named, environment={}, weights=weights)

    assert hint in getattr(caught.value, "hint", "")


def test_metadata_is_read_as_the_onnx_library_reads_it(tmp_path: Path) -> None:
    stored = {"author": "ÄÖ 渋谷", "long": "x" * 100_000, "empty": ""}
    path = write_tiny_onnx(tmp_path / "tiny.onnx", metadata=stored)
    expected = {entry.key: entry.value for entry in onnx.load(path).metadata_props}

    assert read_metadata(path) == expected


def test_an_empty_file_is_no_model(tmp_path: Path) -> None:
    empty = tmp_path / "empty.onnx"
    empty.touch()

    with pytest.raises(ConfigError, match="cannot be read as ONNX"):
        read_metadata(empty)
