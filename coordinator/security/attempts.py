"""An attempt to sign in → made, or put off: by name, for good, and by address, for a minute."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from common.timing import Clock
from coordinator.fleet.attempts import FailedAttempts, TooManyAttemptsError
from coordinator.security.attempts_store import AttemptsStore, Charge
from coordinator.security.audit_store import Session
from coordinator.security.opaque import KeyedDigest

MOST_FAILURES_A_MINUTE = 10
_NETWORK_BITS = 64
"""Of IPv6: who has one address of such a network has all of them."""


class SignInPausedError(TooManyAttemptsError):
    """Too many wrong attempts on one name; the answer is the same for names nobody has."""

    def __init__(self, wait_s: float) -> None:
        """Say how long to wait."""
        super().__init__(wait_s)
        self.args = ("too many wrong attempts to sign in under this name",)
        self.hint = f"wait {_minutes(wait_s)}, or ask an administrator for a one-time link"


class SignInAttempts:
    """Counts attempts by name in the database, and failures by address in this process."""

    def __init__(self, key: KeyedDigest, *, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self._addresses = FailedAttempts(clock=clock, most=MOST_FAILURES_A_MINUTE)

    def refuse_flood(self, address: str) -> None:
        """Return only when the address may try.

        Raises:
            TooManyAttemptsError: It failed too often in the last minute.
        """
        self._addresses.refuse_flood(network_of(address))

    def failed(self, address: str) -> None:
        """Note that an attempt of the address failed."""
        self._addresses.failed(network_of(address))

    def charge(self, session: Session, tenant: str, name: str) -> Charge:
        """Count an attempt on the name before it is made."""
        return AttemptsStore(session).charge(self._of(tenant, name), now=self._clock.now())

    def refund(self, session: Session, tenant: str, name: str) -> None:
        """Take the charge back; earlier failures stay."""
        AttemptsStore(session).refund(self._of(tenant, name), now=self._clock.now())

    def clear(self, session: Session, tenant: str, name: str) -> None:
        """Forget all failures of the name."""
        AttemptsStore(session).clear(self._of(tenant, name))

    def _of(self, tenant: str, name: str) -> str:
        return self._key.of("sign-in attempts", f"{tenant}\n{name}")


def network_of(address: str) -> str:
    """What counts as one address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Address(int(parsed) >> _NETWORK_BITS << _NETWORK_BITS))
    return address


def _minutes(wait_s: float) -> str:
    return f"{wait_s:.0f} s" if wait_s < 120 else f"{wait_s / 60:.0f} min"
