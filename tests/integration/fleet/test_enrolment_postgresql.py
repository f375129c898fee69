"""One token, several boxes and coordinators, on PostgreSQL."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from common.errors import ConflictError, TrustError
from coordinator.config import CoordinatorConfig
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.schema import migrate
from coordinator.setting_up import set_up
from tests.fakes.enrolled_box import Box

pytestmark = pytest.mark.integration


@pytest.fixture
def container(tmp_path: Path, postgres_url: str) -> CoordinatorContainer:
    settings = CoordinatorConfig(data_folder=tmp_path / "data", database=postgres_url)
    return coordinator_container(settings)


def test_tables_of_a_server_are_not_changed_behind_its_back(
    container: CoordinatorContainer,
) -> None:
    with pytest.raises(ConflictError) as caught:
        set_up(container)

    assert "its-camera-ai database migrate" in caught.value.hint
    container.database().close()


def test_of_boxes_that_race_with_one_token_one_wins(container: CoordinatorContainer) -> None:
    migrate(container.database())
    set_up(container)
    once = container.tokens().create("main", hours=1).token.secret
    results: list[str] = []
    start = threading.Barrier(4)

    def race() -> None:
        request = Box.new().request(once)
        start.wait()
        try:
            results.append(container.enrolment().enrol(request).device)
        except ConflictError:
            results.append("refused")

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert results.count("refused") == 3
    assert len(container.fleet().list()) == 1
    container.database().close()


def test_a_box_that_is_retired_cannot_renew(container: CoordinatorContainer) -> None:
    migrate(container.database())
    set_up(container)
    box = Box.new()
    token = container.tokens().create("main", hours=1).token
    device = container.enrolment().enrol(box.request(token.secret)).device
    renewed = container.enrolment().renew(device, box.renewal(device))

    container.fleet().retire(device, reason="test")

    with pytest.raises(TrustError, match="not enrolled"):
        container.enrolment().renew(device, box.renewal(device))
    assert renewed.device == device
    container.database().close()
