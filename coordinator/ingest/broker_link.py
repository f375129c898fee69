"""A broker → messages into a sink, and answers out of it; the only user of aiomqtt here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from aiomqtt import Client, Message, MqttError, ProtocolVersion

from common.errors import UnreachableError
from coordinator.ingest.verdicts import Received

Sink = Callable[[Received], None]
"""Takes a message at once or drops it; called on the event loop."""

_MANY_CALLS = 100_000
_TIMEOUT_S = 10.0


class Login(Protocol):
    """How to sign in to the broker."""

    @property
    def host(self) -> str:
        """Name or address."""
        ...

    @property
    def port(self) -> int:
        """TCP port."""
        ...

    @property
    def protocol(self) -> str:
        """``3.1.1`` or ``5``."""
        ...

    @property
    def client_id(self) -> str:
        """Unique at the broker."""
        ...

    def tls(self) -> ssl.SSLContext | None:
        """Certificates as they are now; None for no TLS.

        Raises:
            UnreachableError: They cannot be used now.
        """
        ...


class Link(Protocol):
    """A connection that stands."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand an answer to the broker, which has confirmed it on return.

        Raises:
            UnreachableError: The connection broke.
        """
        ...

    async def lost(self) -> None:
        """Return never.

        Raises:
            UnreachableError: As soon as the connection is gone.
        """
        ...


Links = Callable[[Sink], AbstractAsyncContextManager[Link]]
"""Connect, subscribe, and deliver to the sink until the context ends."""


class MqttLink:
    """One aiomqtt client that is connected and subscribed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1.

        Raises:
            UnreachableError: The connection broke.
        """
        try:
            await self._client.publish(topic, payload, qos=1)
        except MqttError as error:
            raise UnreachableError(f"broker took no answer: {error}") from error

    async def lost(self) -> None:
        """Wait for the end of the connection.

        Raises:
            UnreachableError: The connection is gone.
        """
        try:
            async for _ in self._client.messages:
                raise ValueError("a message went past the sink")
        except MqttError as error:
            raise UnreachableError(f"broker went away: {error}") from error


def mqtt_links(login: Callable[[], Login], *, wanted: str) -> Links:
    """Connections to one broker.

    Args:
        login: Asked at each connection, because certificates are renewed.
        wanted: Topic filter.
    """

    @asynccontextmanager
    async def connect(sink: Sink) -> AsyncIterator[Link]:
        signed_in = login()

        class Diverted(asyncio.Queue[Message]):
            # aiomqtt makes two tasks a message for its iterator; at thousands of messages a
            # second that alone would fill a core.
            def put_nowait(self, item: Message) -> None:
                payload = item.payload
                sink(Received(topic=item.topic.value, data=bytes(payload or b"")))

        try:
            async with Client(
                signed_in.host,
                signed_in.port,
                identifier=signed_in.client_id,
                protocol=ProtocolVersion.V5 if signed_in.protocol == "5" else ProtocolVersion.V311,
                # What we miss is sent again by the boxes; a session would fill the broker.
                clean_session=None if signed_in.protocol == "5" else True,
                clean_start=True if signed_in.protocol == "5" else 3,
                tls_context=signed_in.tls(),
                queue_type=Diverted,
                timeout=_TIMEOUT_S,
            ) as client:
                client.pending_calls_threshold = _MANY_CALLS
                await client.subscribe(wanted, qos=1)
                yield MqttLink(client)
        except MqttError as error:
            raise UnreachableError(
                f"broker {signed_in.host}:{signed_in.port} did not serve: {error}",
                hint="start it, or correct the key broker of the coordinator's configuration",
            ) from error

    return connect
