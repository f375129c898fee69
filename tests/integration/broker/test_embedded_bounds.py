"""The embedded broker when one side does not keep up, or sends what is too big."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiomqtt
import pytest

from common.errors import UnreachableError
from coordinator.broker.access import INGEST_NAMES
from coordinator.broker.brief_client import BriefClient, BrokerLogin
from coordinator.broker.waiting import MOST_FOR_ONE_BOX
from tests.fakes.broker_trust import Trust, running_embedded

pytestmark = pytest.mark.integration
WAIT_S = 20.0
DOWN = "its/v1/main-aaaaaa/down/ack"


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


def client(login: BrokerLogin, *, clean: bool = True) -> aiomqtt.Client:
    made = aiomqtt.Client(
        login.host,
        login.port,
        identifier=login.client_id,
        tls_context=login.tls(),
        clean_session=clean,
        timeout=WAIT_S,
    )
    made.pending_calls_threshold = 100_000
    return made


def test_only_the_newest_orders_wait_for_a_box_that_is_away(trust: Trust) -> None:
    sent = MOST_FOR_ONE_BOX + 100

    async def talk(port: int) -> list[bytes]:
        box = trust.login("main-aaaaaa", port)
        async with client(box, clean=False) as first:
            await first.subscribe("its/v1/main-aaaaaa/down/+", qos=1)
        async with client(trust.login(INGEST_NAMES[0], port)) as ingest:
            for number in range(sent):
                await ingest.publish(DOWN, str(number).encode(), qos=1)
            await asyncio.sleep(0.5)  # the broker counts what waits twenty times a second
        heard: list[bytes] = []
        async with client(box, clean=False) as again, asyncio.timeout(WAIT_S):
            async for message in again.messages:
                heard.append(bytes(message.payload))
                if heard[-1] == str(sent - 1).encode():
                    break
        return heard

    with running_embedded(trust) as broker:
        heard = asyncio.run(talk(broker.port))

    numbers = sorted(int(each) for each in heard)
    assert len(numbers) <= MOST_FOR_ONE_BOX
    assert numbers[-1] == sent - 1


def test_a_packet_that_is_too_big_ends_the_connection_and_nothing_else(trust: Trust) -> None:
    async def talk(port: int) -> list[int]:
        sizes: list[int] = []
        async with client(trust.login(INGEST_NAMES[0], port)) as ingest:
            await ingest.subscribe("its/v1/+/up/+", qos=1)
            big = trust.login("main-bbbbbb", port)
            await asyncio.to_thread(shout, big)
            async with client(trust.login("main-aaaaaa", port)) as box:
                await box.publish("its/v1/main-aaaaaa/up/bins", b"x" * 60_000, qos=1)
                async with asyncio.timeout(WAIT_S):
                    async for message in ingest.messages:
                        sizes.append(len(bytes(message.payload)))
                        break
        return sizes

    with running_embedded(trust) as broker:
        assert asyncio.run(talk(broker.port)) == [60_000]


def shout(login: BrokerLogin) -> None:
    with BriefClient(login) as loud, pytest.raises(UnreachableError, match="did not take"):
        loud.publish(f"its/v1/{login.client_id}/up/bins", b"x" * 400_000)


def test_boxes_wait_while_the_broker_is_full_and_go_on_afterwards(trust: Trust) -> None:
    reports, taken = 1000, []

    async def send(box: aiomqtt.Client) -> None:
        for number in range(reports):
            await box.publish("its/v1/main-aaaaaa/up/bins", str(number).encode(), qos=1)
            taken.append(number)

    async def talk(port: int) -> tuple[int, set[int]]:
        ingest = trust.login(INGEST_NAMES[0], port)
        async with client(ingest, clean=False) as first:
            await first.subscribe("its/v1/+/up/+", qos=1)
        async with client(trust.login("main-aaaaaa", port)) as box:
            sending = asyncio.create_task(send(box))
            before = -1
            while before != len(taken):
                before = len(taken)
                await asyncio.sleep(0.5)
            heard: set[int] = set()
            async with client(ingest, clean=False) as again, asyncio.timeout(WAIT_S):
                async for message in again.messages:
                    heard.add(int(bytes(message.payload)))
                    if len(heard) == reports:
                        break
            await sending
            return before, heard

    with running_embedded(trust, most_waiting=50) as broker:
        taken_while_full, heard = asyncio.run(talk(broker.port))

    assert 50 <= taken_while_full < reports
    assert heard == set(range(reports))


@pytest.mark.parametrize("data", [b"\x10", b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n"])
def test_nonsense_ends_one_connection_and_nothing_else(
    trust: Trust, data: bytes, tmp_path: Path
) -> None:
    with running_embedded(trust) as broker:
        login = trust.login("main-aaaaaa", broker.port)
        with (
            socket.create_connection((login.host, login.port), timeout=WAIT_S) as plain,
            login.tls().wrap_socket(plain, server_hostname=login.host) as tls,
        ):
            tls.sendall(data)
        with BriefClient(login) as fine:
            fine.publish("its/v1/main-aaaaaa/up/bins", b"sealed")
