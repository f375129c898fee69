"""Sign-ins that failed → passwords that are guessed, at one account or at many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network

from coordinator.security.noticed import NOBODY, EventKind, SecurityEvent
from coordinator.security.threats.findings import (
    DEFAULT_LIMITS,
    Finding,
    Limits,
    Severity,
    ThreatKind,
    named,
)

_IPV6_NETWORK_BITS = 64
_MANY = "many addresses"


def brute_force(
    events: Iterable[SecurityEvent], *, now: datetime, limits: Limits = DEFAULT_LIMITS
) -> list[Finding]:
    """Accounts at which somebody guesses; urgent when somebody got in after that."""
    recent = _recent(events, now, limits)
    failed = _by_subject(e for e in recent if e.kind is EventKind.SIGN_IN_FAILED)
    entered = _by_subject(e for e in recent if e.kind is EventKind.SIGNED_IN)
    found = []
    for account, refusals in failed.items():
        times = sum(event.times for event in refusals)
        if times < limits.failures_of_account or account.startswith(NOBODY):
            continue
        last_at = max(event.last_at for event in refusals)
        got_in = any(event.last_at >= last_at for event in entered.get(account, ()))
        found.append(
            Finding(
                kind=ThreatKind.BRUTE_FORCE,
                subject=account,
                severity=Severity.HIGH if got_in else Severity.MEDIUM,
                summary=f"{times} sign-ins as {account} failed within {_minutes(limits)} minutes, "
                f"expected fewer than {limits.failures_of_account}"
                + ("; then one succeeded" if got_in else ""),
                first_at=min(event.first_at for event in refusals),
                last_at=last_at,
                evidence={
                    "failures": times,
                    "addresses": named(event.address for event in refusals),
                    "signed_in_after": got_in,
                },
            )
        )
    return found


def spraying(
    events: Iterable[SecurityEvent], *, now: datetime, limits: Limits = DEFAULT_LIMITS
) -> list[Finding]:
    """Addresses that try many accounts, and many accounts tried from all over."""
    recent = _recent(events, now, limits)
    entered = {(e.address, e.subject) for e in recent if e.kind is EventKind.SIGNED_IN}
    failed: dict[str, list[SecurityEvent]] = defaultdict(list)
    for event in recent:
        is_failure = event.kind is EventKind.SIGN_IN_FAILED
        # Whoever gets in from the same address had mistyped.
        if is_failure and (event.address, event.subject) not in entered:
            failed[_network(event.address)].append(event)
    found, quiet = [], []
    for network, refusals in failed.items():
        if len({event.subject for event in refusals}) >= limits.accounts_of_address:
            found.append(_spray(network, refusals, limits.accounts_of_address, limits))
        else:
            quiet += refusals
    spread = {event.subject for event in quiet}
    from_all_over = len({_network(event.address) for event in quiet}) >= limits.accounts_of_address
    if from_all_over and len(spread) >= limits.accounts_together:
        found.append(_spray(_MANY, quiet, limits.accounts_together, limits))
    return found


def _spray(
    where: str, refusals: Sequence[SecurityEvent], threshold: int, limits: Limits
) -> Finding:
    accounts = {event.subject for event in refusals}
    known = {account for account in accounts if not account.startswith(NOBODY)}
    return Finding(
        kind=ThreatKind.PASSWORD_SPRAYING,
        subject=where,
        severity=Severity.MEDIUM if where == _MANY else Severity.HIGH,
        summary=f"sign-ins to {len(accounts)} accounts failed from {where} within "
        f"{_minutes(limits)} minutes, expected fewer than {threshold}",
        first_at=min(event.first_at for event in refusals),
        last_at=max(event.last_at for event in refusals),
        evidence={
            "accounts": len(accounts),
            "existing_accounts": named(known),
            "attempts": sum(event.times for event in refusals),
            "addresses": named(event.address for event in refusals),
        },
    )


def _recent(events: Iterable[SecurityEvent], now: datetime, limits: Limits) -> list[SecurityEvent]:
    return [event for event in events if event.last_at > now - limits.window]


def _by_subject(
    events: Iterable[SecurityEvent] | Iterator[SecurityEvent],
) -> dict[str, list[SecurityEvent]]:
    groups: dict[str, list[SecurityEvent]] = defaultdict(list)
    for event in events:
        groups[event.subject].append(event)
    return groups


def _network(address: str) -> str:
    """An IPv6 address stands for its network: whoever has one has 2**64."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
    return address


def _minutes(limits: Limits) -> int:
    return round(limits.window.total_seconds() / 60)
