from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from common.errors import ConfigError, UnreachableError
from common.private_files import (
    MOST_PRIVATE_BYTES,
    create_private,
    make_private_folder,
    read_private,
    write_private,
)

pytestmark = pytest.mark.unit


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_whole_and_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"old")
    path.chmod(0o644)

    write_private(path, b"new")

    assert read_private(path) == b"new"
    assert mode_of(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_process_mask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        write_private(tmp_path / "token", b"new")
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "token") == 0o600


def test_the_first_of_two_creators_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"

    made = [create_private(path, content) for content in (b"first", b"second")]

    assert made == [True, False]
    assert read_private(path) == b"first"
    assert mode_of(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="cannot be written: No such file"):
        write_private(tmp_path / "absent" / "key", b"x")


def test_a_failed_replacement_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()

    with pytest.raises(UnreachableError):
        write_private(tmp_path / "key", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    write_private(tmp_path / "real", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(ConfigError, match="link cannot be read"):
        read_private(tmp_path / "link")


def test_a_pipe_is_no_file_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)

    with pytest.raises(ConfigError, match="no plain file"):
        read_private(tmp_path / "pipe")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    write_private(tmp_path / "huge", bytes(MOST_PRIVATE_BYTES + 1))

    with pytest.raises(ConfigError, match="65537 bytes, expected at most 65536"):
        read_private(tmp_path / "huge")


def test_a_folder_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "identity").mkdir(mode=0o755)

    make_private_folder(tmp_path / "identity")
    make_private_folder(tmp_path / "new" / "identity")

    assert mode_of(tmp_path / "identity") == 0o700
    assert mode_of(tmp_path / "new" / "identity") == 0o700


def test_a_file_in_a_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "identity").write_bytes(b"")

    with pytest.raises(ConfigError, match="cannot be made private"):
        make_private_folder(tmp_path / "identity")
