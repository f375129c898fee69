"""The file beside the weights says which file is which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import ConfigError
from models.catalogue import ModelFacts, read_facts, write_facts

pytestmark = pytest.mark.unit

FACTS = ModelFacts(
    name="its-yolo11n",
    version="1.0.0",
    classes=("person", "car"),
    sha256={"a.onnx": "00ff"},
    default="a.onnx",
)


def test_facts_read_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(FACTS.as_plain()), encoding="utf-8")

    assert read_facts(path) == FACTS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "do not exist", id="missing"),
        pytest.param("{", "not readable", id="not JSON"),
        pytest.param('{"name": "x"}', "not readable", id="keys missing"),
    ],
)
def test_unusable_facts_are_explained(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "facts.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=message):
        read_facts(path)


def test_facts_cover_the_files_of_one_version(tmp_path: Path) -> None:
    for name in ("net-1.0.0.onnx", "net-1.0.0-int8.onnx", "net-1.1.0.onnx", "net-1.0.0.md"):
        (tmp_path / name).write_bytes(b"abc")

    facts = read_facts(write_facts(tmp_path, name="net", version="1.0.0", default="net-1.0.0.onnx"))

    # FIPS 180-4's own example, SHA-256 of "abc"
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert facts.sha256 == {"net-1.0.0-int8.onnx": abc, "net-1.0.0.onnx": abc}
    assert facts.classes == ("person", "bicycle", "car", "motorcycle", "bus", "truck")


def test_a_default_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"default is net-1\.0\.0\.onnx"):
        write_facts(tmp_path, name="net", version="1.0.0", default="net-1.0.0.onnx")
