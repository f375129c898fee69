"""The name in a certificate → the topics that its owner may use; the same on every broker."""

from __future__ import annotations

import re

from common.errors import TrustError
from common.topics import PREFIX, Way, parse_topic

MOST_WORKERS = 32
ORDERS_NAME = "coordinator-orders"
INGEST_NAMES = tuple(f"coordinator-ingest-{number}" for number in range(MOST_WORKERS))
COORDINATORS = (ORDERS_NAME, *INGEST_NAMES)
RESERVED = "coordinator"
"""No site, and so no box, may have a name that begins with this."""

_DOWN_OR_UP = re.compile(rf"{PREFIX}/(?P<device>[a-z0-9_-]+|\+)/(?P<way>up|down)/(?:[a-z]+|\+|#)")


def is_coordinator(name: str) -> bool:
    """Whether a name is one of this side's; every connection of ours has its own."""
    return name in COORDINATORS


def may_sign_in(name: str, client_id: str) -> bool:
    """A session belongs to the name in the certificate, nobody takes over another's."""
    return bool(client_id) and client_id == name


def may_publish(name: str, topic: str) -> bool:
    """Boxes write their own ``up``, the coordinator everybody's ``down``."""
    return _is_between(name, topic, written_by_box=Way.UP)


def may_receive(name: str, topic: str) -> bool:
    """Boxes read their own ``down``, the coordinator everybody's ``up``."""
    return _is_between(name, topic, written_by_box=Way.DOWN)


def may_subscribe(name: str, wanted: str) -> bool:
    """The filter must not reach beyond what may be received."""
    found = _DOWN_OR_UP.fullmatch(wanted)
    if found is None:
        return False
    if is_coordinator(name):
        return found["way"] == Way.UP
    return found["way"] == Way.DOWN and found["device"] == name


def mosquitto_acl() -> str:
    """The same rules as an ACL file of mosquitto, whose user is the certificate's name."""
    lines = [
        "# Boxes: the user is the name in the certificate.",
        f"pattern write {PREFIX}/%u/{Way.UP}/#",
        f"pattern read {PREFIX}/%u/{Way.DOWN}/#",
    ]
    for name in COORDINATORS:
        lines += [
            "",
            f"user {name}",
            f"topic read {PREFIX}/+/{Way.UP}/#",
            f"topic write {PREFIX}/+/{Way.DOWN}/#",
        ]
    return "\n".join([*lines, ""])


def _is_between(name: str, topic: str, *, written_by_box: Way) -> bool:
    try:
        parsed = parse_topic(topic)
    except TrustError:
        return False
    if is_coordinator(name):
        return parsed.way is not written_by_box
    return parsed.way is written_by_box and parsed.device == name
