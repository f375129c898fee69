"""A coordinator → the security events that it has noted so far."""

from __future__ import annotations

from sqlalchemy import text

from coordinator.container import CoordinatorContainer


def recorded_events(container: CoordinatorContainer) -> list[tuple[str, str, str]]:
    """Kind, subject and address of each, the oldest first."""
    container.security_events().write()
    with container.database().session() as session:
        rows = session.connection().execute(
            text("SELECT kind, subject, address FROM security_event ORDER BY first_at")
        )
        return [(str(kind), str(subject), str(address)) for kind, subject, address in rows]
