"""How the coordinator starts Flower's processes: private, silent, on loopback."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from common.errors import ConfigError
from coordinator.container import CoordinatorContainer
from coordinator.federation.part import add_rounds
from coordinator.federation.superlink import FlowerPlace
from tests.fakes.clocks import SkippingClock

pytestmark = pytest.mark.integration


@pytest.fixture
def place(container: CoordinatorContainer) -> FlowerPlace:
    settings = container.settings()
    return FlowerPlace(settings, settings.federation, container.certificates())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_superlink_listens_on_loopback_and_asks_nodes_for_their_keys(
    place: FlowerPlace,
) -> None:
    command = place.link_order().command

    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert "--enable-supernode-auth" in command
    assert "--insecure" not in command
    assert command[command.index("--isolation") + 1] == "process"
    assert command[command.index("--database") + 1].startswith(str(place.folder))


def test_every_process_is_silent_and_has_a_private_home(place: FlowerPlace) -> None:
    environments = [
        place.link_order().environment,
        place.exec_order().environment,
        place.operator_environment(),
    ]

    homes = [Path(each["FLWR_HOME"]) for each in environments]
    assert {each["FLWR_TELEMETRY_ENABLED"] for each in environments} == {"0"}
    assert len(set(homes)) == 3
    assert {mode(home) for home in homes} == {0o700}
    assert mode(place.folder) == 0o700
    assert mode(place.folder / "superexec.secret") == 0o600
    assert "127.0.0.1:9092" in (homes[2] / "config.toml").read_text()


def test_the_secret_of_the_superexec_is_made_once(place: FlowerPlace) -> None:
    place.link()
    secret = (place.folder / "superexec.secret").read_bytes()
    place.link()

    assert len(secret) == 32
    assert (place.folder / "superexec.secret").read_bytes() == secret


def test_a_certificate_that_is_made_again_is_another_order(
    place: FlowerPlace, clock: SkippingClock
) -> None:
    before = place.link_order()
    same = place.link_order()

    clock.skip(timedelta(days=61).total_seconds())  # of 90, with a third left it is made again

    assert same.digest == before.digest
    assert place.link_order().digest != before.digest


def test_rounds_need_the_key_whose_bundles_boxes_believe(container: CoordinatorContainer) -> None:
    settings = container.settings()
    federation = settings.federation.model_copy(update={"bench_command": ()})
    container.settings.override(settings.model_copy(update={"federation": federation}))

    with pytest.raises(ConfigError, match=r"federation\.release_key is missing"):
        add_rounds(container)


def test_without_a_section_there_are_no_rounds(container: CoordinatorContainer) -> None:
    container.settings.override(container.settings().model_copy(update={"federation": None}))

    add_rounds(container)

    assert container.parts().states() == {}
