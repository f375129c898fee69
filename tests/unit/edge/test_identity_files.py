from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from common.errors import ConfigError, UnreachableError
from common.private_files import make_private_folder, write_private
from edge.enrol.identity_files import (
    COORDINATOR_FILE,
    DEVICE_FILE,
    ENROLLING_FOLDER,
    FILES,
    RENEWING_FOLDER,
    SIGNING_KEY_FILE,
    TLS_CHAIN_FILE,
    TLS_KEY_FILE,
    TRUST_FILE,
    opened,
    replace_files,
)

pytestmark = pytest.mark.unit

OLD = {name: f"old {name}".encode() for name in FILES}
NEW = {name: f"new {name}".encode() for name in FILES}


def content(folder: Path) -> dict[str, bytes]:
    with opened(folder):
        return {name: (folder / name).read_bytes() for name in FILES}


def interrupted(folder: Path, *, renamed: int) -> None:
    """What a power cut leaves after so many of the renames."""
    replace_files(folder, OLD)
    for name in FILES:
        write_private(folder / f"{name}.next", NEW[name])
    write_private(folder / "replacing.json", json.dumps(sorted(FILES)).encode())
    for name in FILES[:renamed]:
        (folder / f"{name}.next").replace(folder / name)


def test_files_are_replaced_together_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    replace_files(folder, OLD)

    replace_files(folder, NEW)

    assert content(folder) == NEW
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("renamed", range(len(FILES) + 1))
def test_whoever_opens_the_folder_finishes_an_interrupted_change(
    tmp_path: Path, renamed: int
) -> None:
    interrupted(tmp_path, renamed=renamed)

    assert content(tmp_path) == NEW
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_a_change_that_was_not_certain_yet_is_forgotten(tmp_path: Path) -> None:
    replace_files(tmp_path, OLD)
    for name in (DEVICE_FILE, TLS_KEY_FILE):
        write_private(tmp_path / f"{name}.next", b"half")

    assert content(tmp_path) == OLD
    replace_files(tmp_path, NEW)
    assert content(tmp_path) == NEW
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)


def test_files_that_are_not_named_stay(tmp_path: Path) -> None:
    replace_files(tmp_path, OLD)

    replace_files(tmp_path, {TLS_CHAIN_FILE: b"new chain"})

    assert content(tmp_path) == OLD | {TLS_CHAIN_FILE: b"new chain"}


def test_pending_keys_are_gone_after_the_change(tmp_path: Path) -> None:
    for folder in (ENROLLING_FOLDER, RENEWING_FOLDER):
        make_private_folder(tmp_path / folder)
        for name in (SIGNING_KEY_FILE, TLS_KEY_FILE):
            write_private(tmp_path / folder / name, b"waits")

    replace_files(tmp_path, NEW)

    assert [path for path in tmp_path.rglob("*.key") if path.parent != tmp_path] == []


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    replace_files(tmp_path, OLD)
    write_private(tmp_path / "replacing.json", b"[")

    with pytest.raises(ConfigError, match="is damaged"):
        content(tmp_path)


def test_a_foreign_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shadow"):
        replace_files(tmp_path, {"../shadow": b"", TRUST_FILE: b""})


def test_a_box_without_a_folder_is_told_to_enrol(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        content(tmp_path / "absent")
    assert "edge enroll" in caught.value.hint


def test_a_name_that_cannot_be_replaced_is_told_and_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / COORDINATOR_FILE).mkdir()

    with pytest.raises(UnreachableError, match="cannot be written"):
        replace_files(tmp_path, NEW)
    (tmp_path / COORDINATOR_FILE).rmdir()

    assert content(tmp_path) == NEW


def test_readers_see_one_generation_while_files_are_replaced(tmp_path: Path) -> None:
    replace_files(tmp_path, OLD)
    done = threading.Event()

    def write() -> None:
        for files in (NEW, OLD) * 15:
            replace_files(tmp_path, files)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [content(tmp_path)]
    while not done.is_set():
        seen.append(content(tmp_path))
    writer.join()

    assert all(one in (OLD, NEW) for one in seen)
    assert len(seen) > 2
