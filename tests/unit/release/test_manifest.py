"""What a manifest may say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from common.release.manifest import ReleaseManifest, artefact_path, is_model_version, precedence

pytestmark = pytest.mark.unit

MODEL, SET = "ab" * 32, "cd" * 32


def manifest(**changes: Any) -> ReleaseManifest:
    facts: dict[str, Any] = {
        "name": "its-yolo11n",
        "version": "1.1.0",
        "model": {"path": artefact_path(MODEL, ".onnx"), "sha256": MODEL, "size_bytes": 9},
        "classes": ["person", "car"],
        "calibration": {"path": artefact_path(SET, ".npz"), "sha256": SET, "size_bytes": 9},
        "lineage": {"data_statement": "made up"},
    }
    return ReleaseManifest.model_validate(facts | changes)


def test_equal_manifests_are_equal_bytes_and_come_back() -> None:
    one = manifest()

    assert ReleaseManifest.model_validate_json(one.to_bytes()) == one
    assert manifest().to_bytes() == one.to_bytes()
    assert one.path == "releases/its-yolo11n/1.1.0.json"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"version": "1.0.0+night"}, id="build metadata"),
        pytest.param({"version": "../../etc"}, id="path in the version"),
        pytest.param({"name": "../x"}, id="path in the name"),
        pytest.param({"surprise": 1}, id="unknown field"),
        pytest.param({"input_long_side": 100}, id="size that is no multiple of 32"),
        pytest.param(
            {"model": {"path": artefact_path(SET, ".onnx"), "sha256": MODEL, "size_bytes": 9}},
            id="path of another digest",
        ),
        pytest.param(
            {"model": {"path": artefact_path(MODEL, ".npz"), "sha256": MODEL, "size_bytes": 9}},
            id="model that is a calibration set",
        ),
        pytest.param(
            {
                "model": {
                    "path": artefact_path(MODEL, ".onnx"),
                    "sha256": MODEL,
                    "size_bytes": 2**40,
                }
            },
            id="a terabyte",
        ),
        pytest.param({"gate": {"least_match": 1.5}}, id="share above one"),
        pytest.param({"classes": []}, id="no class"),
    ],
)
def test_what_no_release_says_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        manifest(**changes)


def test_versions_sort_as_semantic_versioning_says() -> None:
    rising = ["0.9.9", "1.0.0-alpha", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0", "1.2.0", "1.10.0"]
    shuffled = rising[3:] + rising[:3]

    assert sorted(shuffled, key=precedence) == rising
    assert not is_model_version("01.0.0")
