"""The pages of models and rollouts over a real registry, with boxes that say what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI

from common.release.reasons import IN_WORDS, LOW_F1
from common.release_state import Step
from common.security import Role
from coordinator.config import CoordinatorConfig
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.registry.stages import DeploymentStage
from coordinator.rollouts.states import RolloutState
from coordinator.rollouts.views import LimitsView, RolloutWish
from coordinator.setting_up import set_up
from tests.fakes.clocks import SkippingClock
from tests.fakes.dashboard import PageClient, pages_over
from tests.fakes.model_city import ModelCity
from tests.fakes.ops_pages import HOSTILE
from tests.fakes.sealed_candidate import sealed_candidate

pytestmark = pytest.mark.integration

Visitor = Callable[..., PageClient]
"""Roles, and a name → somebody who asks for pages."""


@pytest.fixture
def container(tmp_path: Path) -> Iterator[CoordinatorContainer]:
    container = coordinator_container(CoordinatorConfig(data_folder=tmp_path / "data"))
    container.clock.override(SkippingClock(datetime.now(UTC)))
    set_up(container)
    yield container
    container.database().close()


@pytest.fixture
def city(container: CoordinatorContainer, tmp_path: Path) -> ModelCity:
    return ModelCity(container, tmp_path)


@pytest.fixture
def visitor(container: CoordinatorContainer) -> Visitor:
    def make(*roles: Role, name: str = "Vera Brandt") -> PageClient:
        app: FastAPI = pages_over(container, roles=roles or (Role.ML_ENGINEER,), name=name)
        return PageClient(app)

    return make


def test_a_candidate_shows_where_it_came_from_and_what_is_missing(
    city: ModelCity, visitor: Visitor
) -> None:
    candidate = sealed_candidate(city.folder / "candidate", weights=b"weights")
    city.container.registry().add(candidate, by="Ada", version="1.1.0")
    pages = visitor()

    listed, shown = pages.get("/models").text, pages.get("/models/1.1.0").text

    assert 'href="/models/1.1.0"' in listed
    assert "roadside" in shown
    assert "Take to staging" in shown
    assert "no signed release with these weights" in shown


def test_a_version_goes_through_its_gates_with_two_people(
    city: ModelCity, visitor: Visitor
) -> None:
    version = city.in_canary()
    city.enrol()
    ada, grace = visitor(name="Ada"), visitor(name="Grace")

    started = ada.post(
        "/rollouts/-/start", data={"version": version, "canaries": "1", "watch_minutes": "0"}
    )
    rollout = started.headers["location"].partition("?")[0]
    settle(city)
    ada.post(f"/models/{version}/proposals", data={"stage": "production"})
    own = ada.post(f"/models/{version}/approval")
    approved = grace.post(f"/models/{version}/approval")
    settle(city)

    assert started.status_code == 303
    assert own.status_code == 409
    assert "expected the approval of a second person" in own.text
    assert approved.status_code == 303
    assert "in use" in grace.get(f"/models/{version}").text
    assert "Runs it" in grace.get(rollout).text
    assert city.container.rollouts().list()[0].state is RolloutState.DONE


def settle(city: ModelCity) -> None:
    """Some looks of the driver, with a box that takes what it is told."""
    for _ in range(3):
        city.tick()
        for device in city.container.fleet().list():
            city.obeys(device.id)


def test_a_gate_that_is_closed_says_why(city: ModelCity, visitor: Visitor) -> None:
    version = city.in_canary()

    refused = visitor().post(f"/models/{version}/proposals", data={"stage": "production"})

    assert refused.status_code == 409
    assert "no canary rollout of it has held" in refused.text


def test_declining_needs_a_reason_and_keeps_it(city: ModelCity, visitor: Visitor) -> None:
    version = proposed(city)
    grace = visitor(name="Grace")

    empty = grace.post(f"/models/{version}/refusal", data={"reason": "  "})
    declined = grace.post(f"/models/{version}/refusal", data={"reason": "misses cyclists"})

    assert empty.status_code == 422
    assert declined.status_code == 303
    assert "misses cyclists" in grace.get(f"/models/{version}").text


def proposed(city: ModelCity) -> str:
    """A version that held in its canary and waits for a second person."""
    version = city.in_canary()
    city.enrol()
    limits = LimitsView(most_failed=0, least_confirmed=1, watch_s=0)
    city.container.rollouts().start(RolloutWish(version=version, canaries=1, limits=limits), by="A")
    settle(city)
    city.container.registry().propose(version, DeploymentStage.PRODUCTION, by="Ada")
    return version


def test_a_rollout_is_paused_gone_on_with_and_rolled_back(
    city: ModelCity, visitor: Visitor
) -> None:
    version = city.in_canary()
    device = city.enrol()
    pages = visitor()
    page = pages.post(
        "/rollouts/-/start", data={"version": version, "watch_minutes": "10"}
    ).headers["location"].partition("?")[0]  # fmt: skip

    paused = pages.post(f"{page}/pause")
    shown = pages.get(page).text
    pages.post(f"{page}/resumption")
    without = pages.post(f"{page}/roll-back", data={"reason": ""})
    pages.post(f"{page}/roll-back", data={"reason": "dusk"})

    assert paused.status_code == 303
    assert "Paused" in shown
    assert device in shown
    assert without.status_code == 409
    assert "it needs a reason" in without.text
    assert "dusk" in pages.get(page).text


def test_what_a_box_refused_is_told_in_words(city: ModelCity, visitor: Visitor) -> None:
    version = city.in_canary()
    device = city.enrol()
    pages = visitor()
    page = pages.post(
        "/rollouts/-/start", data={"version": version, "watch_minutes": "10"}
    ).headers["location"].partition("?")[0]  # fmt: skip
    city.tick()

    city.say(device, step=Step.REFUSED, wanted=version, reason=LOW_F1)
    city.tick()

    shown = pages.get(page).text
    assert IN_WORDS[LOW_F1] in shown
    assert "Halted" in shown


def test_numbers_out_of_bounds_come_back_in_the_form(city: ModelCity, visitor: Visitor) -> None:
    version = city.in_canary()

    wrong = visitor().post(
        "/rollouts/-/start", data={"version": version, "most_failed_percent": "130"}
    )

    assert wrong.status_code == 422
    assert "most_failed" in wrong.text


def test_who_only_looks_is_offered_nothing(city: ModelCity, visitor: Visitor) -> None:
    version = proposed(city)
    viewer = visitor(Role.VIEWER)

    shown = viewer.get(f"/models/{version}").text

    assert "Approve for production" not in shown
    assert viewer.post(f"/models/{version}/approval").status_code == 403
    assert viewer.get("/rollouts/-/start", params={"version": version}).status_code == 403


def test_what_somebody_wrote_stays_text(city: ModelCity, visitor: Visitor) -> None:
    version = proposed(city)
    pages = visitor(name="Grace")

    pages.post(f"/models/{version}/refusal", data={"reason": HOSTILE})

    assert HOSTILE not in pages.get(f"/models/{version}").text
    assert "&lt;script&gt;" in pages.get(f"/models/{version}").text
