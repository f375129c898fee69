"""A connected box that is retired loses its connection and does not come back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiomqtt
import pytest

from common.errors import UnreachableError
from common.free_ports import free_port
from coordinator.broker.brief_client import BriefClient, BrokerLogin
from coordinator.config import BrokerSettings, CoordinatorConfig
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.setting_up import set_up
from tests.fakes.enrolled_box import Box
from tests.fakes.mosquitto_broker import USER, MosquittoBroker, new_folder

pytestmark = pytest.mark.integration
WAIT_S = 15.0


def embedded(closing: ExitStack, tmp_path: Path) -> CoordinatorContainer:
    settings = CoordinatorConfig(
        data_folder=tmp_path / "data", broker=BrokerSettings(port=free_port())
    )
    container = coordinator_container(settings)
    set_up(container)
    container.runs_broker.override(True)
    container.embedded().start()
    closing.callback(container.embedded().stop)
    return container


def mosquitto(closing: ExitStack, tmp_path: Path) -> CoordinatorContainer:
    folder, state = new_folder(), new_folder()
    folder.chmod(0o755)
    broker = BrokerSettings(
        kind="external",
        port=free_port(),
        pid_file=state / "mosquitto.pid",
        files_group=USER if os.getuid() == 0 else None,
    )
    container = coordinator_container(CoordinatorConfig(data_folder=folder, broker=broker))
    set_up(container)
    written = container.broker_files().write(state_folder=state)
    closing.enter_context(MosquittoBroker(written))
    return container


@pytest.fixture(params=[embedded, mosquitto])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CoordinatorContainer]:
    build: Callable[[ExitStack, Path], CoordinatorContainer] = request.param
    with ExitStack() as closing:
        container = build(closing, tmp_path)
        closing.callback(container.database().close)
        yield container


def enrolled(container: CoordinatorContainer, folder: Path) -> BrokerLogin:
    box = Box.new()
    token = container.tokens().create("main", hours=1).token
    answer = container.enrolment().enrol(box.request(token.secret))
    return box.login(answer, folder)


def test_a_retired_box_is_thrown_out_and_stays_out(
    container: CoordinatorContainer, tmp_path: Path
) -> None:
    login = enrolled(container, tmp_path / "box")
    other = enrolled(container, tmp_path / "other")
    container.revocations().publish()

    async def live() -> None:
        async with aiomqtt.Client(
            login.host, login.port, identifier=login.client_id, tls_context=login.tls()
        ) as box:
            await box.subscribe(f"its/v1/{login.client_id}/down/+", qos=1)
            await asyncio.to_thread(container.fleet().retire, login.client_id, reason="stolen")
            async with asyncio.timeout(WAIT_S):
                async for _ in box.messages:
                    pass

    with pytest.raises(aiomqtt.MqttError):
        asyncio.run(live())
    with pytest.raises(UnreachableError), BriefClient(login):
        pass
    with BriefClient(other) as still_there:
        still_there.publish(f"its/v1/{other.client_id}/up/bins", b"sealed")
