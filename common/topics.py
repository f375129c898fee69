"""Device and kind ↔ MQTT topic ``its/v1/<device>/<up|down>/<kind>``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from common.errors import TrustError
from common.ids import SLUG_PATTERN
from common.wire import Kind

PREFIX = "its/v1"
MOST_TOPIC_CHARACTERS = 128


class Way(StrEnum):
    """Seen from the box: ``up`` to the coordinator, ``down`` to the box."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic of one device."""

    device: str
    way: Way
    kind: Kind

    def __post_init__(self) -> None:
        """Refuse a device id that could leave its level of the topic."""
        if not re.fullmatch(SLUG_PATTERN, self.device):
            raise ValueError(f"device id {self.device!r} is no slug")

    def __str__(self) -> str:
        return f"{PREFIX}/{self.device}/{self.way}/{self.kind}"


def parse_topic(text: str) -> Topic:
    """The topic that a broker named.

    Raises:
        TrustError: It is not one of ours.
    """
    parts = text.split("/") if len(text) <= MOST_TOPIC_CHARACTERS else []
    try:
        its, version, device, way, kind = parts
        topic = Topic(device, Way(way), Kind(kind))
        is_ours = f"{its}/{version}" == PREFIX
    except ValueError as error:
        raise _foreign(text) from error
    if not is_ours:
        raise _foreign(text)
    return topic


def every_device(way: Way, *, share: str | None = None) -> str:
    """Filter for all devices; with ``share``, an MQTT 5 shared subscription of that name."""
    wanted = f"{PREFIX}/+/{way}/+"
    return f"$share/{share}/{wanted}" if share else wanted


def one_device(device: str, way: Way) -> str:
    """Filter for everything of one device."""
    return f"{PREFIX}/{Topic(device, way, Kind.ACK).device}/{way}/+"


def _foreign(text: str) -> TrustError:
    shown = text[:MOST_TOPIC_CHARACTERS]
    return TrustError(f"topic {shown!r}, expected {PREFIX}/<device>/<up|down>/<kind>")
