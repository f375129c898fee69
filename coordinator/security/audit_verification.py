"""Chains, heads and checkpoints → what holds, and the first entry of each chain that does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from common.encryption import VerifyingKey
from coordinator.database import Database
from coordinator.security.audit_entries import AuditEntry, Link, fault_of
from coordinator.security.audit_store import entries, heads, still
from coordinator.security.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What does not hold.

    Attributes:
        tenant: Whose chain.
        number: Of the first entry that does not hold, or that is missing.
        reason: Why.
    """

    tenant: str
    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainState:
    """A chain after it was followed.

    Attributes:
        tenant: Whose.
        holds: How far it holds.
        newest_at: Time of the last entry that holds, empty for none.
        checked: Checkpoints that were compared and agreed.
    """

    tenant: str
    holds: Link
    newest_at: str
    checked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """Whether the log holds."""

    chains: tuple[ChainState, ...]
    faults: tuple[Fault, ...]

    @property
    def is_intact(self) -> bool:
        """Every entry holds, and every checkpoint is met."""
        return not self.faults


def verify_log(
    database: Database, points: Iterable[Checkpoint] = (), *, key: VerifyingKey | None = None
) -> AuditVerdict:
    """Follow every chain from its first entry to its head, a thousand entries in memory.

    Args:
        database: With the newest tables.
        points: Checkpoints that the chains have to meet, of this machine and kept copies.
        key: Who signed them.

    Raises:
        UnreachableError: The database is away.
        ValueError: Checkpoints without a key.
    """
    faults, wanted = _believed(points, key)
    followed: dict[str, _Follow] = {}
    strays: list[Fault] = []
    with still(database) as session:
        known = heads(session)
        place: _Follow | None = None
        for entry in entries(session):
            if isinstance(entry, str):
                # Its owner may be what was changed; it stands after the one that was read last.
                place = place or _started(followed, min(known, default="-"), known, wanted)
                if place.is_at_end:
                    strays.append(place.next_fault(entry))
                else:
                    place.fault = place.fault or place.next_fault(entry)
                continue
            if place is None or place.tenant != entry.tenant_id:
                place = _started(followed, entry.tenant_id, known, wanted)
            place.take(entry)
    for tenant in {*known, *wanted} - followed.keys():
        _started(followed, tenant, known, wanted)
    for place in followed.values():
        place.finish()
        if place.fault is not None:
            faults.append(place.fault)
    if not faults:
        # Otherwise the chain that it is missing from has been named.
        faults += strays[:1]
    chains = tuple(followed[tenant].state() for tenant in sorted(followed))
    return AuditVerdict(chains=chains, faults=tuple(faults))


@dataclass(slots=True, kw_only=True)
class _Follow:
    """One chain on the way from entry to entry."""

    tenant: str
    head: Link | None
    wanted: Mapping[int, Sequence[Checkpoint]]
    link: Link = field(default_factory=Link)
    newest_at: str = ""
    checked: int = 0
    fault: Fault | None = None

    @property
    def is_at_end(self) -> bool:
        """Nothing more of it is expected."""
        return self.head is not None and self.link.number >= self.head.number

    def next_fault(self, reason: str) -> Fault:
        return Fault(tenant=self.tenant, number=self.link.number + 1, reason=reason)

    def take(self, entry: AuditEntry) -> None:
        if self.fault is not None:
            return
        reason = fault_of(entry, after=self.link)
        if reason:
            number = min(entry.number, self.link.number + 1)
            self.break_at(number, reason)
            return
        for point in self.wanted.get(entry.number, ()):
            if point.digest != entry.digest:
                self._rewritten(point)
                return
            self.checked += 1
        self.link, self.newest_at = entry.link, entry.at

    def break_at(self, number: int, reason: str) -> None:
        if self.fault is None:
            self.fault = Fault(tenant=self.tenant, number=number, reason=reason)

    def finish(self) -> None:
        """What a chain that holds link by link may still lack: its end."""
        last = self.link.number
        cut = [number for number in self.wanted if number > last]
        if cut:
            at = self.wanted[min(cut)][0].at
            self.break_at(last + 1, f"it is missing, as are all up to {max(cut)}: checkpoint of "
                          f"{at:%Y-%m-%d %H:%M} UTC is of entry {min(cut)}")  # fmt: skip
        if self.head is None:
            self.break_at(last, "its chain has no head")
        elif self.head.number > last:
            self.break_at(last + 1, f"it is missing, the head is at {self.head.number}")
        elif self.head.number != last:
            self.break_at(self.head.number + 1, "it is there, and the head does not know of it")
        elif self.head != self.link:
            self.break_at(last, "its digest is not the one that the head has")

    def state(self) -> ChainState:
        return ChainState(
            tenant=self.tenant, holds=self.link, newest_at=self.newest_at, checked=self.checked
        )

    def _rewritten(self, point: Checkpoint) -> None:
        """The chain was made anew from somewhere after the last checkpoint that it meets."""
        numbers = [0, *sorted(self.wanted)]
        before = next(low for low, high in pairwise(numbers) if high == point.number)
        self.break_at(
            before + 1,
            f"it or a later one up to {point.number} was rewritten: entry {point.number} is not "
            f"the one of the checkpoint of {point.at:%Y-%m-%d %H:%M} UTC",
        )


def _started(
    followed: dict[str, _Follow],
    tenant: str,
    known: Mapping[str, Link],
    wanted: Mapping[str, Mapping[int, Sequence[Checkpoint]]],
) -> _Follow:
    if tenant not in followed:
        followed[tenant] = _Follow(
            tenant=tenant, head=known.get(tenant), wanted=wanted.get(tenant, {})
        )
    return followed[tenant]


def _believed(
    points: Iterable[Checkpoint], key: VerifyingKey | None
) -> tuple[list[Fault], dict[str, dict[int, list[Checkpoint]]]]:
    """Checkpoints by tenant and number, without those whose signature does not hold."""
    faults: list[Fault] = []
    wanted: dict[str, dict[int, list[Checkpoint]]] = {}
    for point in points:
        if key is None:
            raise ValueError("checkpoints without a key, expected the one that signed them")
        reason = point.fault(key)
        if reason:
            said = f"its checkpoint of {point.at:%Y-%m-%d %H:%M} UTC cannot be believed: {reason}"
            faults.append(Fault(tenant=point.tenant, number=point.number, reason=said))
        else:
            wanted.setdefault(point.tenant, {}).setdefault(point.number, []).append(point)
    return faults, wanted
