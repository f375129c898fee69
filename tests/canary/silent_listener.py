"""A subscriber that stays away → a broker that must keep every report on its disk."""

from __future__ import annotations

import asyncio
import ssl

from aiomqtt import Client, ProtocolVersion

from common.topics import Way, every_device
from coordinator.broker.access import INGEST_NAMES
from tests.canary.canary_town import CanaryTown

_NAME = INGEST_NAMES[1]
_WAIT_S = 15.0


def subscribe_and_leave(town: CanaryTown) -> None:
    """Leave a session behind for which mosquitto queues whatever boxes publish."""
    pair = town.authority().client(_NAME, hours=1)
    chain, key = town.folder / "listener.pem", town.folder / "listener.key"
    chain.write_bytes(pair.chain_pem)
    key.write_bytes(pair.key_pem)
    trust = town.folder / "coordinator" / "broker" / "trust.pem"
    context = ssl.create_default_context(cafile=trust)
    context.load_cert_chain(chain, key)

    async def subscribe() -> None:
        async with Client(
            "127.0.0.1", town.broker_port, identifier=_NAME, tls_context=context,
            protocol=ProtocolVersion.V311, clean_session=False, timeout=_WAIT_S,
        ) as client:  # fmt: skip
            await client.subscribe(every_device(Way.UP), qos=1)

    asyncio.run(subscribe())


def publish_as_box(town: CanaryTown, topic: str, *payloads: bytes) -> None:
    """Say something with the box's own certificate, through the recorder."""

    async def publish() -> None:
        async with Client(
            "127.0.0.1", town.boxes_port, identifier=town.identity().device,
            tls_context=town.box_side(), protocol=ProtocolVersion.V311, timeout=_WAIT_S,
        ) as client:  # fmt: skip
            for payload in payloads:
                await client.publish(topic, payload, qos=1)

    asyncio.run(publish())
