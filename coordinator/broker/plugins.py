"""The embedded broker's questions → the answers of ``access``.

Loaded by amqtt by name. The client id can be believed here: the listener compared it with the
certificate before the broker saw the connection.
"""

from __future__ import annotations

from amqtt.contexts import Action  # type: ignore[import-untyped]
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin  # type: ignore[import-untyped]
from amqtt.session import Session  # type: ignore[import-untyped]

from coordinator.broker.access import may_publish, may_receive, may_subscribe


class CertifiedPlugin(BaseAuthPlugin):  # type: ignore[misc]
    """Who came through our listener has shown a certificate."""

    async def authenticate(self, *, session: Session) -> bool | None:
        """Refuse sessions that another door let in."""
        return session.ssl_object is not None and bool(session.client_id)


class TopicsPlugin(BaseTopicPlugin):  # type: ignore[misc]
    """Ties topics to the owner of the session."""

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool | None:
        """True when the owner of the session may do that."""
        if session is None or not session.client_id or topic is None:
            return False
        name = session.client_id
        match action:
            case Action.PUBLISH:
                return may_publish(name, topic)
            case Action.SUBSCRIBE:
                return may_subscribe(name, topic)
            case Action.RECEIVE:
                return may_receive(name, topic)
            case _:
                return False
