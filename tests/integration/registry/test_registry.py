"""Candidates that go further, and every step that is refused."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from common.errors import ConfigError, ConflictError, NotFoundError, TrustError
from common.release.client import ReleaseSource, fetch_release
from coordinator.container import CoordinatorContainer
from coordinator.registry.packaged import PackagedModel, packaged_folder, packaged_models
from coordinator.registry.stages import DeploymentStage
from coordinator.rollouts.views import LimitsView, RolloutWish
from tests.fakes.clocks import SkippingClock
from tests.fakes.enrolled_box import Box
from tests.fakes.model_city import ModelCity
from tests.fakes.release_repository import serving
from tests.fakes.sealed_candidate import NAME, sealed_candidate

pytestmark = pytest.mark.integration

STAGING, CANARY, PRODUCTION = (
    DeploymentStage.STAGING,
    DeploymentStage.CANARY,
    DeploymentStage.PRODUCTION,
)


@pytest.fixture
def canary(city: ModelCity) -> str:
    """A version whose canary held."""
    device = city.enrol()
    version = city.in_canary()
    wish = RolloutWish(version=version, limits=LimitsView(watch_s=0))
    city.container.rollouts().start(wish, by="Ada")
    city.tick()
    city.obeys(device)
    city.tick()
    return version


def test_a_candidate_of_a_round_gets_the_next_minor_version(
    city: ModelCity, tmp_path: Path
) -> None:
    registry = city.container.registry()
    packaged = PackagedModel(
        name=NAME, version="1.0.0", sha256={"its-tiny.onnx": "ab" * 32}, default="its-tiny.onnx"
    )
    assert registry.add_packaged(packaged)

    view = registry.add(sealed_candidate(tmp_path / "candidate"), by="Ada")

    assert (view.version, view.stage, view.run) == ("1.1.0", "development", "night-3")
    assert not registry.add_packaged(packaged)
    assert [one.version for one in registry.list() if one.is_current] == ["1.0.0"]


def test_the_same_candidate_again_changes_nothing(city: ModelCity, tmp_path: Path) -> None:
    registry = city.container.registry()
    candidate = sealed_candidate(tmp_path / "candidate")

    first = registry.add(candidate, by="Ada")

    assert registry.add(candidate, by="Grace") == first
    assert len(registry.list()) == 1


def test_other_files_do_not_get_a_version_that_is_taken(city: ModelCity, tmp_path: Path) -> None:
    registry = city.container.registry()
    registry.add(sealed_candidate(tmp_path / "one"), by="Ada", version="2.0.0")
    other = sealed_candidate(tmp_path / "two", weights=b"others")

    with pytest.raises(ConflictError, match=r"2\.0\.0 is taken by other files"):
        registry.add(other, by="Ada", version="2.0.0")
    with pytest.raises(ConfigError, match=r"version '2\.0', expected one such as 1\.2\.0"):
        registry.add(other, by="Ada", version="2.0")


def test_a_candidate_that_was_changed_is_not_taken(city: ModelCity, tmp_path: Path) -> None:
    candidate = sealed_candidate(tmp_path / "candidate")
    (candidate / "metrics.json").write_text("{}")

    with pytest.raises(TrustError, match=r"metrics\.json has SHA-256"):
        city.container.registry().add(candidate, by="Ada")

    assert city.container.registry().list() == []


def test_files_of_a_version_are_kept_under_their_digest(city: ModelCity, tmp_path: Path) -> None:
    view = city.container.registry().add(sealed_candidate(tmp_path / "candidate"), by="Ada")

    kept = tmp_path / "data" / "registry" / str(view.sha256)
    assert kept.read_bytes() == b"weights"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_rejected_candidate_is_kept_with_its_reasons_and_goes_nowhere(
    city: ModelCity, tmp_path: Path
) -> None:
    registry = city.container.registry()
    candidate = sealed_candidate(tmp_path / "candidate", rejections=("forgets atl/bus",))
    version = registry.add(candidate, by="Ada").version

    with pytest.raises(ConflictError, match="rejected it: forgets atl/bus"):
        registry.propose(version, STAGING, by="Ada")

    shown = registry.show(version)
    assert shown.rejections == ["forgets atl/bus"]
    assert [event.kind for event in shown.events] == ["registered", "evidence", "refused"]


def test_a_candidate_that_nobody_measured_does_not_reach_staging(
    city: ModelCity, tmp_path: Path
) -> None:
    registry = city.container.registry()
    candidate = sealed_candidate(tmp_path / "candidate", is_measured=False)
    version = registry.add(candidate, by="Ada").version

    with pytest.raises(ConflictError, match=r"no precision was recorded.*no counts"):
        registry.propose(version, STAGING, by="Ada")


@pytest.mark.parametrize("stage", [CANARY, PRODUCTION])
def test_no_stage_is_skipped(city: ModelCity, tmp_path: Path, stage: DeploymentStage) -> None:
    registry = city.container.registry()
    version = registry.add(sealed_candidate(tmp_path / "candidate"), by="Ada").version

    with pytest.raises(ConflictError, match="expected staging next"):
        registry.propose(version, stage, by="Ada")


def test_no_stage_is_entered_twice(city: ModelCity, tmp_path: Path) -> None:
    registry = city.container.registry()
    version = registry.add(sealed_candidate(tmp_path / "candidate"), by="Ada").version
    registry.propose(version, STAGING, by="Ada")

    with pytest.raises(ConflictError, match="in staging already"):
        registry.propose(version, STAGING, by="Ada")


def test_canary_needs_a_signed_release_with_exactly_these_weights(
    city: ModelCity, tmp_path: Path
) -> None:
    registry, releases = city.container.registry(), city.container.releases()
    registry.add(sealed_candidate(tmp_path / "candidate"), by="Ada", version="1.1.0")
    registry.propose("1.1.0", STAGING, by="Ada")
    city.sign("1.1.0", b"other weights")

    assert releases.receive(city.delivery, by="Ada").unknown == ["1.1.0"]

    with pytest.raises(ConflictError, match="no signed release with these weights"):
        registry.propose("1.1.0", CANARY, by="Ada")


def test_production_needs_a_second_person(city: ModelCity, canary: str) -> None:
    registry = city.container.registry()
    with pytest.raises(ConflictError, match="nobody proposed production"):
        registry.approve(canary, by="Grace")
    assert registry.propose(canary, PRODUCTION, by="Ada").stage is CANARY

    with pytest.raises(ConflictError, match="expected the approval of a second person"):
        registry.approve(canary, by="Ada")
    with pytest.raises(ConflictError, match="Ada proposed it already"):
        registry.propose(canary, PRODUCTION, by="Grace")

    view = registry.approve(canary, by="Grace")
    assert (view.stage, view.is_current, view.proposed_by) == (PRODUCTION, True, None)
    with pytest.raises(ConflictError, match="in production already"):
        registry.approve(canary, by="Grace")


def test_a_declined_proposal_can_be_made_again(city: ModelCity, canary: str) -> None:
    registry = city.container.registry()
    registry.propose(canary, PRODUCTION, by="Ada")

    registry.decline(canary, by="Grace", reason="wait for rain")

    assert registry.show(canary).proposed_by is None
    assert registry.show(canary).events[-1].text == "wait for rain"
    assert registry.propose(canary, PRODUCTION, by="Ada").proposed_by == "Ada"


def test_what_came_with_the_program_is_in_production(city: ModelCity) -> None:
    (model,) = packaged_models(packaged_folder())

    city.container.registry().add_packaged(model)

    shown = city.container.registry().show(model.version)
    assert (shown.stage, shown.is_current) == (PRODUCTION, True)
    assert shown.sha256 == model.sha256["its-yolo11n-1.0.0.onnx"]


def test_an_unknown_version_is_not_found(city: ModelCity) -> None:
    with pytest.raises(NotFoundError, match=r"'9\.9\.9' is not known"):
        city.container.registry().show("9.9.9")


def test_a_box_is_told_the_root_and_fetches_what_was_delivered(
    city: ModelCity, container: CoordinatorContainer, tmp_path: Path
) -> None:
    city.in_canary("1.1.0")
    token = container.tokens().create("main", hours=1).token
    answer = container.enrolment().enrol(Box.new().request(token.secret))
    assert answer.release_root is not None

    with serving(container.releases().folder) as server:
        source = ReleaseSource(url=server.url, root=answer.release_root.encode())
        fetched = fetch_release(tmp_path / "box", source, name=NAME, version="1.1.0")

    assert fetched.model.read_bytes() == b"weights of 1.1.0"


def test_without_a_delivery_a_box_is_told_no_root(container: CoordinatorContainer) -> None:
    token = container.tokens().create("main", hours=1).token

    assert container.enrolment().enrol(Box.new().request(token.secret)).release_root is None
    assert not container.releases().refresh()


def test_the_timestamp_is_signed_again_long_before_it_expires(
    city: ModelCity, container: CoordinatorContainer, clock: SkippingClock
) -> None:
    city.in_canary()
    timestamp = container.releases().folder / "metadata" / "timestamp.json"
    before = timestamp.read_bytes()
    assert not container.releases().refresh()

    clock.skip(timedelta(hours=7).total_seconds())

    assert container.releases().refresh()
    assert timestamp.read_bytes() != before


def test_a_delivery_is_held_against_the_keys_that_the_fleet_trusts(
    city: ModelCity, container: CoordinatorContainer, tmp_path: Path
) -> None:
    city.begin()
    container.releases().receive(city.delivery, by="Ada")
    (tmp_path / "other").mkdir()
    stranger = ModelCity(container, tmp_path / "other")
    stranger.sign("1.1.0", b"weights")

    with pytest.raises(TrustError, match="another root 1 than this coordinator"):
        container.releases().receive(stranger.delivery, by="Mallory")


def test_an_older_delivery_is_refused(
    city: ModelCity, container: CoordinatorContainer, tmp_path: Path
) -> None:
    city.begin()
    old = Path(shutil.copytree(city.delivery, tmp_path / "old"))
    city.sign("1.1.0", b"weights")
    container.releases().receive(city.delivery, by="Ada")

    with pytest.raises(ConflictError, match="has version 1, here is 2 already"):
        container.releases().receive(old, by="Ada")


def test_a_delivery_with_a_changed_artefact_is_refused(
    city: ModelCity, container: CoordinatorContainer
) -> None:
    manifest = city.sign("1.1.0", b"weights")
    (city.delivery / "targets" / manifest.model.path).write_bytes(b"wEights")

    with pytest.raises(TrustError, match="not the file that was signed"):
        container.releases().receive(city.delivery, by="Ada")

    assert container.releases().root() is None


def test_a_root_for_another_coordinator_is_refused(
    city: ModelCity, container: CoordinatorContainer
) -> None:
    city.begin()
    shutil.rmtree(container.settings().keys_folder / "releases")

    with pytest.raises(ConfigError, match="names another snapshot key"):
        container.releases().receive(city.delivery, by="Ada")
