"""Whom a box believes about releases: the first root it was told, and no later one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.timing import SystemClock
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol, renew
from edge.enrol.identity import Identity
from edge.update.root import release_source, remember_root
from edge.update.settings import ReleaseSettings
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator, enrolment_coordinator

pytestmark = pytest.mark.integration

ROOT, OTHER = '{"signed": "root"}', '{"signed": "another"}'


@pytest.fixture
def coordinator() -> Iterator[EnrolmentCoordinator]:
    with enrolment_coordinator() as coordinator:
        yield coordinator


def enrolled(coordinator: EnrolmentCoordinator, folder: Path, root: str | None) -> Identity:
    coordinator.changes = {"release_root": root}
    client = CoordinatorClient(coordinator.url)
    return enrol(client, coordinator.token, folder, clock=SystemClock())


def renewed(coordinator: EnrolmentCoordinator, identity: Identity, root: str | None) -> Identity:
    coordinator.changes = {"release_root": root}
    return renew(CoordinatorClient(coordinator.url), identity, clock=SystemClock())


def test_the_root_comes_with_the_enrolment(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    identity = enrolled(coordinator, tmp_path / "identity", ROOT)

    source = release_source(identity.folder, ReleaseSettings())

    assert source is not None
    assert (source.url, source.root) == (coordinator.url, ROOT.encode())
    assert (identity.folder / "release_root.json").stat().st_mode & 0o777 == 0o600


def test_no_later_answer_replaces_the_root(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    identity = enrolled(coordinator, tmp_path / "identity", ROOT)

    assert renewed(coordinator, identity, OTHER).release_root == ROOT.encode()
    assert renewed(coordinator, identity, None).release_root == ROOT.encode()


def test_a_box_from_before_there_were_releases_is_told_at_its_renewal(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    identity = enrolled(coordinator, tmp_path / "identity", None)

    assert release_source(identity.folder, ReleaseSettings()) is None
    assert renewed(coordinator, identity, ROOT).release_root == ROOT.encode()


def test_a_technician_may_bring_root_and_address(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    identity = enrolled(coordinator, tmp_path / "identity", ROOT)
    (tmp_path / "root.json").write_text(OTHER)
    settings = ReleaseSettings(url="https://depot:8443", root_file=tmp_path / "root.json")

    source = release_source(identity.folder, settings)

    assert source is not None
    assert (source.url, source.root) == ("https://depot:8443", OTHER.encode())


def test_a_root_file_that_is_not_there_is_named(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    identity = enrolled(coordinator, tmp_path / "identity", ROOT)
    missing = ReleaseSettings(root_file=tmp_path / "nowhere.json")

    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read"):
        release_source(identity.folder, missing)


def test_what_was_seen_is_kept_under_one_root_and_forgotten_under_another(tmp_path: Path) -> None:
    seen = tmp_path / "metadata" / "timestamp.json"
    remember_root(tmp_path, ROOT.encode())
    seen.write_text("{}")

    remember_root(tmp_path, ROOT.encode())
    is_kept = seen.exists()
    remember_root(tmp_path, OTHER.encode())

    assert is_kept
    assert not seen.exists()
