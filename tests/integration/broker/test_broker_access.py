"""Both brokers, with the product's own configuration, against clients that misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiomqtt
import pytest

from coordinator.broker.access import INGEST_NAMES
from coordinator.broker.brief_client import BriefClient, BrokerLogin
from coordinator.broker.connect_packet import REFUSED
from tests.fakes.broker_trust import RunningBroker, Trust, running_embedded, running_mosquitto

pytestmark = pytest.mark.integration
INGEST = INGEST_NAMES[0]
WAIT_S = 10.0
FORGED = ("its/v1/main-bbbbbb/up/bins", "its/v1/main-bbbbbb/down/ack", "other/topic")


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture(params=["embedded", "mosquitto"])
def broker(request: pytest.FixtureRequest, trust: Trust) -> Iterator[RunningBroker]:
    run = {"embedded": running_embedded, "mosquitto": running_mosquitto}[request.param]
    with run(trust) as running:
        yield running


def client(login: BrokerLogin, **more: object) -> aiomqtt.Client:
    return aiomqtt.Client(
        login.host,
        login.port,
        identifier=login.client_id,
        tls_context=login.tls(),
        protocol=aiomqtt.ProtocolVersion.V311,
        timeout=WAIT_S,
        **more,  # type: ignore[arg-type]
    )


async def heard_until(reader: aiomqtt.Client, last: str) -> list[str]:
    """Topics in order of arrival, up to the one that proves that all before it were handled."""
    topics = []
    async with asyncio.timeout(WAIT_S):
        async for message in reader.messages:
            topics.append(str(message.topic))
            if topics[-1] == last:
                break
    return topics


def test_reports_of_a_box_reach_the_coordinator_and_its_answers_the_box(
    trust: Trust, broker: RunningBroker
) -> None:
    async def talk() -> tuple[list[str], list[str]]:
        async with (
            client(trust.login(INGEST, broker.port)) as ingest,
            client(trust.login("main-aaaaaa", broker.port)) as box,
        ):
            await ingest.subscribe("its/v1/+/up/+", qos=1)
            await box.subscribe("its/v1/main-aaaaaa/down/+", qos=1)
            await box.publish("its/v1/main-aaaaaa/up/bins", b"sealed", qos=1)
            up = await heard_until(ingest, "its/v1/main-aaaaaa/up/bins")
            await ingest.publish("its/v1/main-aaaaaa/down/ack", b"signed", qos=1)
            return up, await heard_until(box, "its/v1/main-aaaaaa/down/ack")

    up, down = asyncio.run(talk())

    assert up == ["its/v1/main-aaaaaa/up/bins"]
    assert down == ["its/v1/main-aaaaaa/down/ack"]


def test_a_box_cannot_write_under_another_name(trust: Trust, broker: RunningBroker) -> None:
    async def talk() -> list[str]:
        login = trust.login("main-aaaaaa", broker.port)
        async with client(trust.login(INGEST, broker.port)) as ingest:
            await ingest.subscribe("its/v1/+/up/+", qos=1)
            for topic in FORGED:
                await tried(lambda topic=topic: say(login, topic))
            await say(login, "its/v1/main-aaaaaa/up/health")
            return await heard_until(ingest, "its/v1/main-aaaaaa/up/health")

    assert asyncio.run(talk()) == ["its/v1/main-aaaaaa/up/health"]


@pytest.mark.parametrize(
    "wanted",
    ["its/v1/main-bbbbbb/down/+", "its/v1/+/down/+", "its/v1/+/up/+", "#", "+/+/+/+/+"],
)
def test_a_box_hears_nothing_that_is_not_its_own(
    trust: Trust, broker: RunningBroker, wanted: str
) -> None:
    async def talk() -> list[str]:
        async with (
            client(trust.login(INGEST, broker.port)) as ingest,
            client(trust.login("main-aaaaaa", broker.port)) as box,
            client(trust.login("main-bbbbbb", broker.port)) as other,
        ):
            await box.subscribe("its/v1/main-aaaaaa/down/+", qos=1)
            try:
                # mosquitto grants this and filters what it delivers, the embedded one refuses.
                await box.subscribe(wanted, qos=1)
            except aiomqtt.MqttError:
                return ["its/v1/main-aaaaaa/down/ack"]
            await other.publish("its/v1/main-bbbbbb/up/bins", b"sealed", qos=1)
            await ingest.publish("its/v1/main-bbbbbb/down/ack", b"signed", qos=1)
            await ingest.publish("its/v1/main-aaaaaa/down/ack", b"signed", qos=1)
            return await heard_until(box, "its/v1/main-aaaaaa/down/ack")

    assert set(asyncio.run(talk())) == {"its/v1/main-aaaaaa/down/ack"}


def test_a_box_cannot_take_over_the_session_of_another(trust: Trust, broker: RunningBroker) -> None:
    thief = trust.login("main-cccccc", broker.port, client_id="main-aaaaaa")

    async def talk() -> list[str]:
        async with (
            client(trust.login(INGEST, broker.port)) as ingest,
            client(trust.login("main-aaaaaa", broker.port), clean_session=False) as box,
        ):
            await box.subscribe("its/v1/main-aaaaaa/down/+", qos=1)
            await tried(lambda: sign_in(thief))
            await ingest.publish("its/v1/main-aaaaaa/down/ack", b"signed", qos=1)
            return await heard_until(box, "its/v1/main-aaaaaa/down/ack")

    assert asyncio.run(talk()) == ["its/v1/main-aaaaaa/down/ack"]


def test_a_last_will_cannot_speak_for_another_box(trust: Trust, broker: RunningBroker) -> None:
    will = aiomqtt.Will("its/v1/main-bbbbbb/up/bins", b"forged", qos=1)

    async def talk() -> list[str]:
        async with client(trust.login(INGEST, broker.port)) as ingest:
            await ingest.subscribe("its/v1/+/up/+", qos=1)
            await tried(lambda: die(trust.login("main-aaaaaa", broker.port), will))
            async with client(trust.login("main-cccccc", broker.port)) as box:
                await box.publish("its/v1/main-cccccc/up/health", b"own", qos=1)
                return await heard_until(ingest, "its/v1/main-cccccc/up/health")

    assert asyncio.run(talk()) == ["its/v1/main-cccccc/up/health"]


def test_nobody_signs_in_without_a_certificate(trust: Trust, broker: RunningBroker) -> None:
    login = trust.login("main-aaaaaa", broker.port)
    bare = ssl.create_default_context(cafile=str(login.trust_file))

    assert not is_refused(login, login.tls())
    assert is_refused(login, bare)


def test_a_certificate_of_another_ca_is_refused(
    trust: Trust, broker: RunningBroker, tmp_path: Path
) -> None:
    theirs = Trust(tmp_path / "theirs").login("main-aaaaaa", broker.port)
    login = trust.login("main-aaaaaa", broker.port)
    tls = theirs.tls()
    tls.load_verify_locations(trust.folder / "trust.pem")

    assert not is_refused(login, login.tls())
    assert is_refused(login, tls)


def test_older_tls_is_refused(trust: Trust, broker: RunningBroker) -> None:
    login = trust.login("main-aaaaaa", broker.port)
    tls = login.tls()
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.maximum_version = ssl.TLSVersion.TLSv1_2

    assert not is_refused(login, login.tls())
    assert is_refused(login, tls)


def test_a_revoked_certificate_opens_no_connection(trust: Trust, broker: RunningBroker) -> None:
    login = trust.login("main-dddddd", broker.port)
    other = trust.login("main-aaaaaa", broker.port)
    assert not is_refused(login, login.tls())

    broker.revoke([trust.serial(login)])

    assert is_refused(login, login.tls())
    assert not is_refused(other, other.tls())


def test_the_brief_client_delivers_a_message(trust: Trust, broker: RunningBroker) -> None:
    orders = trust.login("coordinator-orders", broker.port)

    async def talk() -> list[str]:
        async with client(trust.login("main-aaaaaa", broker.port)) as box:
            await box.subscribe("its/v1/main-aaaaaa/down/+", qos=1)
            await asyncio.to_thread(tell, orders)
            return await heard_until(box, "its/v1/main-aaaaaa/down/twin")

    assert asyncio.run(talk()) == ["its/v1/main-aaaaaa/down/twin"]


def tell(orders: BrokerLogin) -> None:
    with BriefClient(orders) as sender:
        sender.publish("its/v1/main-aaaaaa/down/twin", b"signed" * 1000)


async def say(login: BrokerLogin, topic: str) -> None:
    async with client(login) as box:
        await box.publish(topic, b"sealed", qos=1)


def is_refused(login: BrokerLogin, context: ssl.SSLContext) -> bool:
    """True when the broker ends the connection without letting us in."""
    name = login.client_id.encode()
    connect = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2) + name
    with socket.create_connection((login.host, login.port), timeout=WAIT_S) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=login.host) as tls:
                tls.sendall(bytes((0x10, len(connect))) + connect)
                return tls.recv(4) in {b"", REFUSED}
        except (ssl.SSLError, ConnectionError):
            return True


async def sign_in(login: BrokerLogin) -> None:
    async with client(login):
        pass


async def die(login: BrokerLogin, will: aiomqtt.Will) -> None:
    """Leave without a word, so that the broker sends the last will."""
    async with client(login, will=will) as box:
        sock = box._client.socket()
        assert sock is not None
        sock.shutdown(socket.SHUT_RDWR)


async def tried(attempt: Callable[[], Awaitable[None]]) -> None:
    """Whatever comes of it: what counts is what the others notice."""
    try:
        await attempt()
    except (aiomqtt.MqttError, OSError, ValueError):
        return
