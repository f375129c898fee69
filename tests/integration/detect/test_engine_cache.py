from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import ConfigError
from edge.detect.engine_cache import EngineCache, EngineKey

pytestmark = pytest.mark.integration

KEY = EngineKey(
    model_sha256="0123456789abcdef" * 4,
    runtime="tensorrt-10.3.0",
    gpu="Orin Nano (8 GB)-8.7",
    precision="fp16",
    shapes="n4-32x32-384x640-640x640",
)


class Builds:
    """Counts how often somebody had to build."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bytes:
        self.count += 1
        return b"engine %d" % self.count


def test_the_file_is_named_after_all_it_was_built_for() -> None:
    assert KEY.file_name == (
        "0123456789abcdef_tensorrt-10.3.0_Orin-Nano-8-GB--8.7_fp16_n4-32x32-384x640-640x640.engine"
    )


def test_an_engine_is_built_once(tmp_path: Path) -> None:
    builds = Builds()

    engines = [EngineCache(tmp_path / "new").get_or_build(KEY, builds) for _ in range(2)]

    assert engines == [b"engine 1", b"engine 1"]
    assert builds.count == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"model_sha256": "f" * 64}, id="another model"),
        pytest.param({"runtime": "tensorrt-10.4.0"}, id="an updated TensorRT"),
        pytest.param({"gpu": "Thor-11.0"}, id="another GPU"),
        pytest.param({"precision": "fp32"}, id="another precision"),
        pytest.param({"shapes": "n1-32x32-384x640-640x640"}, id="other shapes"),
    ],
)
def test_whatever_changes_it_is_built_anew(tmp_path: Path, change: dict[str, str]) -> None:
    cache, builds = EngineCache(tmp_path), Builds()
    cache.get_or_build(KEY, builds)

    cache.get_or_build(replace(KEY, **change), builds)

    assert builds.count == 2


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-1], id="cut short"),
        pytest.param(lambda content: content[:10], id="cut inside the hash"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda content: content[:-1] + b"X", id="a flipped byte"),
    ],
)
def test_a_damaged_engine_is_built_anew(tmp_path: Path, damage: object) -> None:
    cache, builds = EngineCache(tmp_path), Builds()
    cache.get_or_build(KEY, builds)
    path = tmp_path / KEY.file_name
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]

    assert cache.get_or_build(KEY, builds) == b"engine 2"
    assert cache.get_or_build(KEY, builds) == b"engine 2"


def test_only_the_last_used_engines_are_kept(tmp_path: Path) -> None:
    cache, builds = EngineCache(tmp_path, kept=2), Builds()
    first, second, third = (replace(KEY, runtime=f"tensorrt-10.{n}") for n in range(3))
    for age_s, key in ((300, first), (200, second)):
        cache.get_or_build(key, builds)
        moment = (tmp_path / key.file_name).stat().st_mtime - age_s
        os.utime(tmp_path / key.file_name, (moment, moment))

    cache.get_or_build(first, builds)  # used again: now the second is the oldest
    cache.get_or_build(third, builds)

    assert sorted(file.name for file in tmp_path.iterdir()) == [first.file_name, third.file_name]


def test_what_a_power_cut_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "half.part").write_bytes(b"half")

    EngineCache(tmp_path).get_or_build(KEY, Builds())

    assert [file.name for file in tmp_path.iterdir()] == [KEY.file_name]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fails() -> bytes:
        raise ConfigError("TensorRT cannot build")

    with pytest.raises(ConfigError, match="cannot build"):
        EngineCache(tmp_path).get_or_build(KEY, fails)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"file/cache.* cannot be read: Not a directory"):
        EngineCache(tmp_path / "file" / "cache").get_or_build(KEY, Builds())
