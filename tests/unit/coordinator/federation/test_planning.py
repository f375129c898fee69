from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError, ConflictError, ItsError, NotFoundError, TrustError
from common.rounds import (
    Anchoring,
    AnchorSettings,
    BatchNorm,
    ParentModel,
    PlannedClient,
    Strategy,
    UpdatePrivacy,
)
from coordinator.config import FederationSettings
from coordinator.federation.devices_store import Trainee, known_samples
from coordinator.federation.planning import choose_clients, make_plan
from coordinator.federation.views import RunWish

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 22, 5, 9, tzinfo=UTC)
CLIENTS = tuple(PlannedClient(device=name, samples=40) for name in ("a", "b", "c"))


def trainee(device: str, **more: Any) -> Trainee:
    facts: dict[str, Any] = {"state": "enrolled", "has_learning_key": True, "samples": 40}
    return Trainee(device=device, **(facts | more))


FLEET = (
    trainee("a"),
    trainee("b", samples=20),
    trainee("few", samples=19),
    trainee("keyless", has_learning_key=False),
    trainee("old", state="retired"),
    trainee("silent", samples=None),
)


@pytest.fixture
def parent(tmp_path: Path) -> ParentModel:
    file = tmp_path / "parent.pt"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    return ParentModel(name="its", version="1.0.0", sha256=digest, file=file)


def test_everybody_who_can_is_asked_when_nobody_is_named() -> None:
    chosen = choose_clients(RunWish(), FLEET, least_samples=20)

    assert [(client.device, client.samples) for client in chosen] == [("a", 40), ("b", 20)]


@pytest.mark.parametrize(
    ("device", "kind", "why"),
    [
        ("few", ConflictError, "has 19 samples, expected at least 20"),
        ("keyless", ConflictError, "has no learning key"),
        ("old", ConflictError, "is retired, expected an enrolled one"),
        ("silent", ConflictError, "does not tell how many samples"),
        ("nobody", NotFoundError, "device 'nobody' is not known"),
    ],
)
def test_a_named_box_that_cannot_take_part_is_no_plan(
    device: str, kind: type[ItsError], why: str
) -> None:
    with pytest.raises(kind, match=why):
        choose_clients(RunWish(devices=("a", device)), FLEET, least_samples=20)


def test_samples_may_be_told_where_a_box_does_not_report_them() -> None:
    wish = RunWish(devices=("a", "silent"), samples={"silent": 33})

    assert choose_clients(wish, FLEET, least_samples=20)[1].samples == 33


def test_a_single_box_is_no_federation() -> None:
    with pytest.raises(ConflictError, match="1 of 1 boxes can take part, expected at least 2"):
        choose_clients(RunWish(), FLEET[:1], least_samples=20)


def test_what_a_wish_leaves_out_comes_from_the_settings(
    parent: ParentModel, tmp_path: Path
) -> None:
    settings = FederationSettings(parent=parent, evaluation=tmp_path, first_deadline_s=300)

    plan = make_plan(RunWish(rounds=3), CLIENTS, {"a": []}, settings=settings, now=NOW)

    assert plan.run == "run-20260314-220509"
    assert (plan.rounds, plan.quorum, plan.deadline_s) == (3, 2, 300)
    assert (plan.parent, plan.evaluation) == (parent, tmp_path)


@pytest.mark.parametrize(
    ("has_data", "kind"), [(True, Anchoring.REPLAY), (False, Anchoring.AVERAGE)]
)
def test_no_run_goes_without_an_anchor_unless_somebody_says_so(
    parent: ParentModel, tmp_path: Path, has_data: bool, kind: Anchoring
) -> None:
    settings = FederationSettings(parent=parent, anchor_data=tmp_path if has_data else None)
    none = RunWish(anchor=AnchorSettings(kind=Anchoring.NONE))

    usual = make_plan(RunWish(), CLIENTS, {}, settings=settings, now=NOW)
    wished = make_plan(none, CLIENTS, {}, settings=settings, now=NOW)

    assert (usual.anchor.kind, usual.anchor.data) == (kind, tmp_path if has_data else None)
    assert wished.anchor.kind is Anchoring.NONE


def test_a_wish_has_the_last_word(parent: ParentModel) -> None:
    wish = RunWish(run="mine", parent=parent, quorum=3, deadline_s=77)

    plan = make_plan(wish, CLIENTS, {"a": [10.0]}, settings=FederationSettings(), now=NOW)

    assert (plan.run, plan.quorum, plan.deadline_s) == ("mine", 3, 77)


@pytest.mark.parametrize(
    ("boxes", "quorum"),
    [
        pytest.param(5, 4, id="two thirds of five"),
        pytest.param(12, 8, id="less than two thirds of twelve"),
    ],
)
def test_the_usual_quorum_is_two_thirds(parent: ParentModel, boxes: int, quorum: int) -> None:
    clients = tuple(PlannedClient(device=f"box-{i}", samples=40) for i in range(boxes))
    wish = RunWish(parent=parent, strategy=Strategy.KRUM)  # 2f + 3 = 5

    plan = make_plan(wish, clients, {}, settings=FederationSettings(), now=NOW)

    assert plan.quorum == quorum


def test_a_run_needs_a_parent() -> None:
    with pytest.raises(ConfigError, match="no parent model"):
        make_plan(RunWish(), CLIENTS, {}, settings=FederationSettings(), now=NOW)


def test_another_file_in_the_place_of_the_parent_is_refused(parent: ParentModel) -> None:
    parent.file.write_bytes(b"other weights")

    with pytest.raises(TrustError, match="has SHA-256"):
        make_plan(RunWish(parent=parent), CLIENTS, {}, settings=FederationSettings(), now=NOW)


def test_a_parent_that_is_gone_is_named(parent: ParentModel) -> None:
    parent.file.unlink()

    with pytest.raises(ConfigError, match=r"parent\.pt cannot be read"):
        make_plan(RunWish(parent=parent), CLIENTS, {}, settings=FederationSettings(), now=NOW)


@pytest.mark.parametrize(
    ("choices", "kind", "why"),
    [
        ({"quorum": 4}, ConfigError, "quorum 4 of 3 clients"),
        (
            {"anchor": AnchorSettings(kind=Anchoring.REPLAY)},
            ConfigError,
            "anchor replay without data",
        ),
        (
            {
                "rounds": 100,
                "privacy": UpdatePrivacy(clip_norm=1, noise_multiplier=1, most_epsilon=8),
            },
            ConflictError,
            "100 rounds with noise",
        ),
        (
            {"strategy": Strategy.KRUM},
            ConfigError,
            "krum against 1 liars with 3 boxes, expected at least 5",
        ),
        (
            {
                "strategy": Strategy.FEDMEDIAN,
                "privacy": UpdatePrivacy(clip_norm=1, noise_multiplier=9, most_epsilon=8),
            },
            ConfigError,
            "privacy of updates with fedmedian",
        ),
        ({"evaluation": Path("/no/such/sets")}, ConfigError, "evaluation /no/such/sets is no"),
        ({"is_secure_sum": True}, ConfigError, "secure sum with batch_norm shared"),
        (
            {"is_secure_sum": True, "batch_norm": BatchNorm.LOCAL},
            ConfigError,
            "secure sum with quorum 2, expected at least 3",
        ),
    ],
    ids=["quorum", "anchor", "budget", "krum", "median", "folder", "norm", "two"],
)
def test_choices_that_do_not_fit_are_no_plan(
    parent: ParentModel, choices: dict[str, Any], kind: type[ItsError], why: str
) -> None:
    wish = RunWish(parent=parent, **choices)

    with pytest.raises(kind, match=why):
        make_plan(wish, CLIENTS, {}, settings=FederationSettings(), now=NOW)


@pytest.mark.parametrize(
    ("health", "samples"),
    [
        (None, None),
        ({}, None),
        ({"learning": None}, None),
        ({"learning": {"samples": 12}}, 12),
        ({"learning": {"samples": "many"}}, None),
        ({"learning": {"samples": -1}}, None),
    ],
)
def test_a_health_report_tells_of_samples(
    health: dict[str, Any] | None, samples: int | None
) -> None:
    assert known_samples(health) == samples
