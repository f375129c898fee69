"""Device and key id → whose reports these are, and whether they are still believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from common.encryption import VerifyingKey

ENROLLED = "enrolled"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """A box, one of its keys, and where its numbers belong.

    Attributes:
        device: Id of the box.
        tenant: Owner of everything that it sends; never taken from a message.
        site_id: Where it stands.
        key: What it signs with.
        state: ``enrolled``, or why it is not believed: ``retired``, ``replaced`` or
            ``key_revoked``.
    """

    device: str
    tenant: str
    site_id: int
    key: VerifyingKey
    state: str = ENROLLED


class DeviceKeys(Protocol):
    """Where the intake asks who signed; answers may be some seconds old."""

    def find(self, device: str, key_id: str) -> DeviceIdentity | None:
        """The box with that key, whatever its state.

        Raises:
            UnreachableError: Nobody can say now; the same question may be answered later.
        """
        ...

    def knows(self, device: str) -> bool:
        """True for every box that was ever enrolled.

        Raises:
            UnreachableError: Nobody can say now; the same question may be answered later.
        """
        ...
