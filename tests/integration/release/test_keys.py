"""Offline keys on a disk that may be stolen, and calibration sets that may be anything."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from tuf.api.metadata import Targets

from common.errors import ConfigError, ConflictError, NotFoundError, TrustError
from common.keys import SigningKey
from common.release.calibration import calibration_bytes, read_calibration
from common.release.locked_keys import lock_key, read_locked, unlock_key
from common.release.repository import add_release, newest, renew
from tests.fakes.release_repository import (
    TinyRepository,
    tiny_calibration,
    tiny_manifest,
    tiny_repository,
)

pytestmark = pytest.mark.integration

PASSPHRASE = "correct horse battery"  # noqa: S105 - opens a key of this test


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    path = tmp_path / "targets-1.json"
    lock_key(path, SigningKey.generate(), role="targets", passphrase=PASSPHRASE)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> TinyRepository:
    return tiny_repository(tmp_path / "repository")


def test_a_key_opens_with_its_passphrase_alone(locked: Path) -> None:
    assert unlock_key(locked, PASSPHRASE).public == read_locked(locked).key
    assert locked.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in locked.read_bytes()

    with pytest.raises(TrustError, match="does not open with this passphrase"):
        unlock_key(locked, PASSPHRASE + " ")


@pytest.mark.parametrize("field", ["public", "locked", "salt", "role"])
def test_a_changed_key_file_does_not_open(locked: Path, field: str) -> None:
    content = json.loads(locked.read_text())
    other = "root" if field == "role" else "A" + content[field][1:]
    content[field] = other if other != content[field] else "B" + content[field][1:]
    locked.write_text(json.dumps(content))

    with pytest.raises((TrustError, ConfigError)):
        unlock_key(locked, PASSPHRASE)


def test_a_key_is_never_overwritten_nor_locked_with_a_short_passphrase(
    locked: Path, tmp_path: Path
) -> None:
    key = SigningKey.generate()
    with pytest.raises(ConflictError, match="exists"):
        lock_key(locked, key, role="targets", passphrase=PASSPHRASE)
    with pytest.raises(ConfigError, match="expected at least 12"):
        lock_key(tmp_path / "new.json", key, role="root", passphrase=PASSPHRASE[:5])


def test_a_calibration_set_comes_back_as_it_was(tmp_path: Path) -> None:
    made = tiny_calibration()
    path = tmp_path / "set.npz"
    path.write_bytes(calibration_bytes(made))

    read = read_calibration(path)

    assert np.array_equal(read.frames, made.frames)
    assert [one.classes.tolist() for one in read.truth] == [[2], [2], []]
    assert read.reference[1].boxes_px.tolist() == [[40.0, 40.0, 80.0, 60.0]]
    assert calibration_bytes(made) == path.read_bytes()


def test_what_is_no_calibration_set_is_refused(tmp_path: Path) -> None:
    rubbish, pickled, odd = (tmp_path / name for name in ("rubbish", "pickled.npz", "odd.npz"))
    rubbish.write_bytes(b"no zip at all")
    np.savez(pickled, frames=np.array([{}], dtype=object))
    with zipfile.ZipFile(odd, "w") as archive:
        archive.writestr("../../evil.npy", b"")

    for path in (rubbish, pickled, odd):
        with pytest.raises(TrustError):
            read_calibration(path)
    with pytest.raises(NotFoundError):
        read_calibration(tmp_path / "nowhere.npz")


def test_a_version_is_never_signed_twice_with_other_content(
    repository: TinyRepository, tmp_path: Path
) -> None:
    (tmp_path / "a.onnx").write_bytes(b"a")
    (tmp_path / "b.onnx").write_bytes(b"b")
    repository.publish(tmp_path / "a.onnx", version="1.0.0")

    with pytest.raises(ConflictError, match="signed already with other content"):
        repository.publish(tmp_path / "b.onnx", version="1.0.0")


def test_a_stranger_signs_nothing(repository: TinyRepository, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"a")
    npz = tmp_path / "a.npz"
    npz.write_bytes(calibration_bytes(tiny_calibration()))
    manifest, files = tiny_manifest(tmp_path / "a.onnx", npz, version="1.0.0")

    with pytest.raises(TrustError, match="0 of the given keys may sign targets, expected 1"):
        add_release(
            repository.folder, manifest, files, [SigningKey.generate()], now=datetime.now(UTC)
        )

    assert newest(repository.folder, Targets).signed.version == 1


def test_renewing_the_list_lets_it_live_on(repository: TinyRepository) -> None:
    later = datetime.now(UTC) + timedelta(days=300)

    version = renew(repository.folder, "targets", [repository.targets_key], now=later)

    found = newest(repository.folder, Targets).signed
    assert (version, found.version) == (2, 2)
    assert found.expires > later + timedelta(days=360)
