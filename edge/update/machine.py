"""What is remembered and what happened → what is remembered next; nothing else is touched.

    idle → fetching → verifying → building → gating → watching → confirmed
                └─────────┴──────────┴─────────┴→ refused    └→ rolled_back

Every function gives a whole new record. It is written before anything acts on it, so that
after a power cut the box stands before a step or behind it, never between.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from common.release import reasons
from common.release_state import GateFigures, SlotName, Step
from edge.update.record import PREPARING, CameraRate, Named, Record, SlotNote, Wish

MOST_STARTS = 3
"""More starts than this within one watch: the agent does not survive the new model."""

MOST_ATTEMPTS = 5
"""More starts than this with one candidate that is not judged: looking at it ends the agent.
Higher than ``MOST_STARTS``, because the box counts with the old model meanwhile."""


def wished(
    record: Record,
    wish: Wish,
    *,
    factory: Named,
    now: datetime,
    before: tuple[CameraRate, ...] = (),
) -> Record:
    """Take up an order; the same or an older one changes nothing.

    Args:
        record: So far.
        wish: From a verified order.
        factory: The model that came with the box.
        now: When.
        before: What the cameras give now, for the watch of a model that the box has already.
    """
    if wish.order <= record.seen:
        return record
    record = record.model_copy(update={"seen": wish.order})
    if record.wish is not None and wish.asks_the_same_as(record.wish):
        # Said again with other changes of the order: a verdict stands until a new attempt.
        return record.model_copy(update={"waiting": None})
    if record.step is not Step.WATCHING:
        begun = _begun(record, wish, factory, now)
        is_switched = begun.step is Step.WATCHING
        return begun.model_copy(update={"before": before}) if is_switched else begun
    if _holder(record, wish, factory) is record.former:
        # Asked to go back before the watch is over: the former one proved itself already.
        return _entered(_left(record), Step.CONFIRMED, now, wish=wish)
    return record.model_copy(update={"waiting": wish})


def delayed(record: Record, reason: str, now: datetime) -> Record:
    """It cannot be fetched now; it is tried again."""
    if record.step is Step.FETCHING and record.reason == reason:
        return record
    since = now if record.step is not Step.FETCHING else record.since
    update = {"step": Step.FETCHING, "reason": reason, "since": since}
    return record.model_copy(update=update | {"candidate": None, "target": None})


def fetched(record: Record, candidate: SlotNote, now: datetime) -> Record:
    """Its files are here and are looked at."""
    return _entered(record, Step.VERIFYING, now, candidate=candidate, attempts=1)


def verified(record: Record, now: datetime) -> Record:
    """The files are what was signed, and a model that this box can run."""
    return _onwards(record, Step.BUILDING, now)


def built(record: Record, now: datetime) -> Record:
    """What will run it exists."""
    return _onwards(record, Step.GATING, now)


def passed(record: Record, figures: GateFigures, now: datetime) -> Record:
    """The gate let it through; its slot is chosen, nothing lies there yet."""
    changes = {"gate": figures, "target": record.free, "since": now}
    return record.model_copy(update=changes)


def activated(record: Record, before: Sequence[CameraRate], now: datetime) -> Record:
    """The candidate lies in its slot: from the next start on, the box counts with it.

    Raises:
        ValueError: Nothing passed the gate.
    """
    if record.target is None or record.candidate is None:
        raise ValueError(f"nothing to activate in step {record.step}")
    slots = {**record.slots, record.target: record.candidate}
    return _switched(
        record.model_copy(update={"slots": slots}), record.target, now, before=tuple(before)
    )


def refused(
    record: Record, reason: str, now: datetime, *, figures: GateFigures | None = None
) -> Record:
    """It will not be run, and not be fetched again for this order."""
    return _entered(record, Step.REFUSED, now, reason=reason, gate=figures)


def confirmed(record: Record, *, factory: Named, now: datetime) -> Record:
    """The watch is over and nothing went wrong."""
    done = _entered(record, Step.CONFIRMED, now, gate=record.gate)
    return _next(done, factory, now)


def rolled_back(record: Record, reason: str, *, factory: Named, now: datetime) -> Record:
    """Back to the model before."""
    gate = record.gate
    return _next(
        _entered(_left(record), Step.ROLLED_BACK, now, reason=reason, gate=gate), factory, now
    )


def started(
    record: Record, whole: Collection[SlotName], *, factory: Named, now: datetime
) -> Record:
    """A process begins: which model it counts with.

    Args:
        record: As it was written last.
        whole: Slots whose files agree with the record.
        factory: The model that came with the box.
        now: When.
    """
    slots = {name: note for name, note in record.slots.items() if name in whole}
    lost = record.active if record.active not in {SlotName.FACTORY, *slots} else None
    former = record.former if record.former in slots else SlotName.FACTORY
    if lost:
        broken = record.model_copy(update={"former": former, "waiting": None})
        back = _left(broken).model_copy(update={"slots": slots})
        return _entered(back, Step.ROLLED_BACK, now, reason=reasons.DAMAGED)
    record = record.model_copy(update={"slots": slots, "former": former})
    if record.step is Step.WATCHING:
        if record.starts >= MOST_STARTS:
            return rolled_back(record, reasons.TOO_MANY_STARTS, factory=factory, now=now)
        return record.model_copy(update={"starts": record.starts + 1})
    if record.step in PREPARING - {Step.FETCHING}:
        if record.attempts >= MOST_ATTEMPTS:
            return refused(record, reasons.TOO_MANY_TRIES, now)
        step = record.step if record.target else Step.VERIFYING
        return record.model_copy(update={"attempts": record.attempts + 1, "step": step})
    return record


def _begun(record: Record, wish: Wish, factory: Named, now: datetime) -> Record:
    holder = _holder(record, wish, factory)
    record = record.model_copy(update={"wish": wish, "waiting": None, "gate": None})
    if holder is record.active:
        return _entered(record, Step.CONFIRMED, now)
    if holder is not None:
        # It passed the gate of this very box before, and the order is signed.
        return _switched(record, holder, now)
    return _entered(record, Step.FETCHING, now)


def _next(record: Record, factory: Named, now: datetime) -> Record:
    return record if record.waiting is None else _begun(record, record.waiting, factory, now)


def _switched(
    record: Record, slot: SlotName, now: datetime, *, before: tuple[CameraRate, ...] = ()
) -> Record:
    former = record.active
    moved = record.model_copy(update={"active": slot, "former": former})
    return _entered(moved, Step.WATCHING, now, gate=record.gate, before=before)


def _left(record: Record) -> Record:
    """Without what is active; its slot is free for the next release."""
    active = record.former if record.former is not record.active else SlotName.FACTORY
    slots = {name: note for name, note in record.slots.items() if name is not record.active}
    return record.model_copy(update={"active": active, "former": SlotName.FACTORY, "slots": slots})


def _holder(record: Record, wish: Wish, factory: Named) -> SlotName | None:
    """The slot with this release, the active one first."""
    if record.active in record.slots and wish.names(record.slots[record.active]):
        return record.active
    if wish.names(factory):
        return SlotName.FACTORY
    return next((slot for slot, note in record.slots.items() if wish.names(note)), None)


def _onwards(record: Record, step: Step, now: datetime) -> Record:
    return record.model_copy(update={"step": step, "since": now, "reason": None})


def _entered(record: Record, step: Step, now: datetime, **changes: Any) -> Record:
    """In another step, with everything forgotten that belonged to the one before."""
    fresh: dict[str, Any] = {
        "reason": None,
        "gate": None,
        "candidate": None,
        "target": None,
        "attempts": 0,
        "starts": 0,
        "before": (),
    }
    return record.model_copy(update={**fresh, "step": step, "since": now, **changes})
