"""Whoever stands between coordinator and box, or owns the coordinator, against a box's client."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Snapshot, Targets

from common.errors import NotFoundError, TrustError, UnreachableError
from common.keys import SigningKey
from common.release.client import FetchedRelease, fetch_release
from common.release.manifest import MOST_MANIFEST_BYTES
from common.release.online import OnlineKeys
from common.release.repository import read_metadata, renew, write_metadata
from common.release.signers import KeySigner
from tests.fakes.release_repository import (
    NAME,
    ReleaseServer,
    TinyRepository,
    serving,
    tiny_repository,
)

pytestmark = pytest.mark.integration

METADATA = "/releases/metadata/"
TARGETS = "/releases/targets/"


@pytest.fixture
def repository(tmp_path: Path) -> TinyRepository:
    repository = tiny_repository(tmp_path / "repository")
    publish(repository, tmp_path, "1.0.0")
    return repository


@pytest.fixture
def server(repository: TinyRepository) -> Iterator[ReleaseServer]:
    with serving(repository.folder) as server:
        yield server


@pytest.fixture
def box(tmp_path: Path) -> Path:
    return tmp_path / "box"


def publish(
    repository: TinyRepository, folder: Path, version: str, *, now: datetime | None = None
) -> None:
    model = folder / f"{version}.onnx"
    model.write_bytes(f"weights of {version} ".encode() * 500)
    repository.publish(model, version=version, now=now)


def fetched(
    box: Path, server: ReleaseServer, repository: TinyRepository, version: str = "1.0.0"
) -> FetchedRelease:
    return fetch_release(box, server.source(repository.root), name=NAME, version=version)


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def test_an_honest_release_arrives_whole_and_is_fetched_once(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    release = fetched(box, server, repository)

    assert release.model.read_bytes() == b"weights of 1.0.0 " * 500
    assert release.manifest.version == "1.0.0"
    server.asked.clear()
    assert fetched(box, server, repository) == release
    assert not any(path.startswith(TARGETS) for path in server.asked)


def test_a_release_that_nobody_signed_is_not_there(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    with pytest.raises(NotFoundError, match=r"holds no releases/its-tiny/9\.0\.0\.json"):
        fetched(box, server, repository, "9.0.0")


def test_a_release_that_is_published_later_is_found(
    box: Path, server: ReleaseServer, repository: TinyRepository, tmp_path: Path
) -> None:
    fetched(box, server, repository)
    publish(repository, tmp_path, "1.1.0")

    assert fetched(box, server, repository, "1.1.0").manifest.version == "1.1.0"


def test_a_coordinator_that_is_away_is_no_attack(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    server.misdeed = lambda _path, _honest: None

    with pytest.raises(UnreachableError, match="404"):
        fetched(box, server, repository)


def test_rollback_to_an_older_state_is_refused(
    box: Path, server: ReleaseServer, repository: TinyRepository, tmp_path: Path
) -> None:
    old = copied(repository.folder, tmp_path / "old")
    publish(repository, tmp_path, "1.1.0")
    fetched(box, server, repository, "1.1.0")

    server.folder = old

    with pytest.raises(TrustError, match="older than what this box saw"):
        fetched(box, server, repository)


def test_a_frozen_state_is_refused_once_its_timestamp_has_expired(
    box: Path, tmp_path: Path
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=2)
    repository = tiny_repository(tmp_path / "frozen", now=long_ago)
    publish(repository, tmp_path, "1.0.0", now=long_ago)

    with (
        serving(repository.folder) as server,
        pytest.raises(TrustError, match=r"timestamp\.json is expired"),
    ):
        fetched(box, server, repository)


def test_a_state_that_froze_after_it_was_seen_is_refused_too(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    fetched(box, server, repository)
    # What the box remembers, as it will be when two days have gone by.
    memory = box / "metadata" / "timestamp.json"
    seen = read_metadata(memory)
    seen.signed.expires = datetime.now(UTC) - timedelta(hours=1)
    seen.sign(KeySigner(repository.online.timestamp))
    memory.write_bytes(seen.to_bytes())
    server.misdeed = lambda path, honest: (
        seen.to_bytes() if path.endswith("timestamp.json") else honest
    )

    with pytest.raises(TrustError, match=r"timestamp\.json is expired"):
        fetched(box, server, repository)


def test_a_list_signed_with_another_key_is_refused(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    forged = read_metadata(repository.folder / "metadata" / "2.targets.json")
    forged.signatures.clear()
    forged.sign(KeySigner(SigningKey.generate()))
    write_metadata(repository.folder, forged)

    with pytest.raises(TrustError, match="not signed by the keys this box trusts"):
        fetched(box, server, repository)


def test_a_stolen_coordinator_cannot_list_a_model(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    """Its two online keys sign a newer list; the list itself they cannot sign."""
    forged: Metadata[Targets] = read_metadata(repository.folder / "metadata" / "2.targets.json")
    forged.signed.version = 3
    forged.signatures.clear()
    forged.sign(KeySigner(repository.online.snapshot))
    write_metadata(repository.folder, forged)
    assert repository.refresh()

    with pytest.raises(TrustError, match="not signed by the keys this box trusts"):
        fetched(box, server, repository)


def test_another_coordinator_with_keys_of_its_own_is_refused(
    box: Path, repository: TinyRepository, tmp_path: Path
) -> None:
    stranger = tiny_repository(tmp_path / "stranger")
    publish(stranger, tmp_path, "1.0.0")

    with (
        serving(stranger.folder) as server,
        pytest.raises(TrustError, match="not signed by the keys this box trusts"),
    ):
        fetched(box, server, repository)


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param("2.root.json", id="root"),
        pytest.param("timestamp.json", id="timestamp"),
        pytest.param("2.snapshot.json", id="snapshot"),
        pytest.param("2.targets.json", id="list"),
        pytest.param("1.0.0.json", id="manifest"),
        pytest.param(".onnx", id="model"),
        pytest.param(".npz", id="calibration set"),
    ],
)
def test_a_stream_without_an_end_is_cut_off(
    box: Path, server: ReleaseServer, repository: TinyRepository, endless: str
) -> None:
    sent = 0

    def forever() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b"x" * 65_536

    server.misdeed = lambda path, honest: forever() if path.endswith(endless) else honest

    with pytest.raises(TrustError, match="longer than it may be"):
        fetched(box, server, repository)

    # The list's bound is the largest one; the socket's buffers may hold some more.
    assert sent < 2 * 2**20 + 16 * 2**20
    assert not list(box.rglob("*.part"))


def test_a_stream_of_single_bytes_is_given_up(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    pause = threading.Event()

    def slowly(content: bytes) -> Iterator[bytes]:
        for position in range(len(content)):
            pause.wait(0.05)
            yield content[position : position + 1]

    def misdeed(path: str, honest: bytes | None) -> bytes | Iterator[bytes] | None:
        return slowly(honest or b"") if path.endswith(".onnx") else honest

    server.misdeed = misdeed
    source = server.source(repository.root, grace_s=0.5)

    with pytest.raises(UnreachableError, match="expected 2048 a second"):
        fetch_release(box, source, name=NAME, version="1.0.0")


def test_lists_of_different_states_do_not_mix(
    box: Path, server: ReleaseServer, repository: TinyRepository, tmp_path: Path
) -> None:
    old = copied(repository.folder, tmp_path / "old")
    publish(repository, tmp_path, "1.1.0")
    newer_list = (old / "metadata" / "2.targets.json").read_bytes()
    server.misdeed = lambda path, honest: newer_list if path.endswith("3.targets.json") else honest

    with pytest.raises(TrustError):
        fetched(box, server, repository, "1.1.0")


def test_a_snapshot_that_the_timestamp_does_not_know_is_refused(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    def misdeed(path: str, honest: bytes | None) -> bytes | None:
        if not path.endswith("2.snapshot.json") or honest is None:
            return honest
        other: Metadata[Snapshot] = Metadata.from_bytes(honest)
        other.signed.expires += timedelta(days=1)
        other.sign(KeySigner(repository.online.snapshot))
        return other.to_bytes()

    server.misdeed = misdeed

    with pytest.raises(TrustError):
        fetched(box, server, repository)


@pytest.mark.parametrize("tampered", [".onnx", ".npz", "1.0.0.json"])
def test_a_changed_file_is_refused_and_not_kept(
    box: Path, server: ReleaseServer, repository: TinyRepository, tampered: str
) -> None:
    def misdeed(path: str, honest: bytes | None) -> bytes | None:
        if honest is None or not path.endswith(tampered):
            return honest
        return honest[:-1] + bytes([honest[-1] ^ 1])

    server.misdeed = misdeed

    with pytest.raises(TrustError, match="not the one that was signed"):
        fetched(box, server, repository)

    assert not list((box / "targets").rglob(f"*{tampered}"))


def test_a_file_that_was_changed_on_the_box_is_fetched_again(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    model = fetched(box, server, repository).model
    model.write_bytes(b"bit rot")

    assert fetched(box, server, repository).model.read_bytes() == b"weights of 1.0.0 " * 500


def test_a_signed_file_under_anothers_name_is_refused(
    box: Path, server: ReleaseServer, repository: TinyRepository, tmp_path: Path
) -> None:
    publish(repository, tmp_path, "1.1.0")
    other = (repository.folder / "targets" / "releases" / NAME / "1.0.0.json").read_bytes()
    server.misdeed = lambda path, honest: other if path.endswith("1.1.0.json") else honest

    with pytest.raises(TrustError):
        fetched(box, server, repository, "1.1.0")


def test_a_huge_manifest_is_refused_although_it_is_signed(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    path = f"releases/{NAME}/1.0.0.json"
    listed: Metadata[Targets] = read_metadata(repository.folder / "metadata" / "2.targets.json")
    listed.signed.targets[path].length = MOST_MANIFEST_BYTES + 1
    listed.signed.version = 3
    listed.signatures.clear()
    listed.sign(KeySigner(repository.targets_key))
    write_metadata(repository.folder, listed)
    repository.refresh()

    with pytest.raises(TrustError, match="expected at most 65536"):
        fetched(box, server, repository)


def test_a_new_root_is_followed_when_the_old_one_signed_it(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    fetched(box, server, repository)
    renew(repository.folder, "root", [repository.root_key], now=datetime.now(UTC))

    assert fetched(box, server, repository).manifest.version == "1.0.0"
    assert (box / "metadata" / "root_history" / "2.root.json").exists()


def test_a_new_root_that_a_stranger_signed_is_refused(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    root = read_metadata(repository.folder / "metadata" / "1.root.json")
    root.signed.version = 2
    root.signatures.clear()
    root.sign(KeySigner(SigningKey.generate()))
    write_metadata(repository.folder, root)

    with pytest.raises(TrustError, match="not signed by the keys this box trusts"):
        fetched(box, server, repository)


def test_rubbish_instead_of_metadata_is_refused(
    box: Path, server: ReleaseServer, repository: TinyRepository
) -> None:
    server.misdeed = lambda path, honest: (
        json.dumps({"signed": {}}).encode() if path.endswith("timestamp.json") else honest
    )

    with pytest.raises(TrustError):
        fetched(box, server, repository)


def test_online_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first = OnlineKeys.open(tmp_path / "keys")

    assert OnlineKeys.open(tmp_path / "keys").snapshot.public == first.snapshot.public
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()} == {0o600}
