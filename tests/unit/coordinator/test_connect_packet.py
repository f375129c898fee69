import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import TrustError
from coordinator.broker.connect_packet import ConnectPacket, read_connect

pytestmark = pytest.mark.unit
# MQTT 3.1.1, §3.1: name, level 4, flags, keep-alive 60, then client id and the last will.
PLAIN = bytes.fromhex("1012 0004 4d515454 04 02 003c 0006 6d61696e2d61")
WITH_WILL = bytes.fromhex("1018 0004 4d515454 04 06 003c 0006 6d61696e2d61 0001 74 0001 78")


def read(data: bytes) -> ConnectPacket:
    async def from_stream() -> ConnectPacket:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await read_connect(reader)

    return asyncio.run(from_stream())


def test_the_client_id_is_found() -> None:
    packet = read(PLAIN)

    assert (packet.client_id, packet.will_topic, packet.keep_alive_s) == ("main-a", None, 60)
    assert packet.raw == PLAIN


def test_the_topic_of_a_last_will_is_found() -> None:
    assert read(WITH_WILL).will_topic == "t"


def test_what_follows_is_left_for_the_broker() -> None:
    assert read(PLAIN + b"more").raw == PLAIN


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes.fromhex("300100"), id="another packet"),
        pytest.param(bytes.fromhex("10ffffffffff7f"), id="length without an end"),
        pytest.param(bytes.fromhex("10ffff03"), id="too big"),
        pytest.param(bytes.fromhex("1003000900"), id="text longer than the packet"),
        pytest.param(PLAIN.replace(b"main-a", b"\xff\xfe\xfd\xfc\xfb\xfa"), id="no UTF-8"),
    ],
)
def test_other_beginnings_are_not_trusted(data: bytes) -> None:
    with pytest.raises(TrustError):
        read(data)


@given(st.binary(max_size=64))
def test_nothing_else_than_a_refusal_comes_of_random_bytes(data: bytes) -> None:
    try:
        packet = read(b"\x10" + data)
    except (TrustError, EOFError):
        return
    assert len(packet.raw) <= len(data) + 1
