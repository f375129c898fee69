from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from common.release import reasons
from common.release_state import GateFigures, SlotName, Step
from edge.update import machine
from edge.update.machine import MOST_ATTEMPTS, MOST_STARTS
from edge.update.record import PREPARING, CameraRate, Named, Record, SlotNote, Wish

pytestmark = pytest.mark.unit

FACTORY = Named(name="its-yolo11n", version="1.0.0")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIGURES = GateFigures(match=1.0, f1=0.8, active_f1=0.7)
BEFORE = (CameraRate(camera="north", fps=10.0),)


def wish(version: str, order: int, *, attempt: int = 1, name: str = "its-yolo11n") -> Wish:
    return Wish(name=name, version=version, order=order, attempt=attempt)


def note(version: str, name: str = "its-yolo11n") -> SlotNote:
    return SlotNote(name=name, version=version, manifest_sha256="a" * 64, model_sha256="b" * 64)


def wished(record: Record, asked: Wish) -> Record:
    return machine.wished(record, asked, factory=FACTORY, now=START, before=BEFORE)


def watching(version: str = "1.1.0", order: int = 1, record: Record | None = None) -> Record:
    """A box that just began to count with a new release."""
    record = wished(record or Record(), wish(version, order))
    record = machine.fetched(record, note(version), START)
    record = machine.built(machine.verified(record, START), START)
    record = machine.passed(record, FIGURES, START)
    return machine.activated(record, BEFORE, START)


def confirmed(version: str = "1.1.0", order: int = 1, record: Record | None = None) -> Record:
    return machine.confirmed(watching(version, order, record), factory=FACTORY, now=START)


def rolled_back(record: Record, reason: str = reasons.SLOW) -> Record:
    return machine.rolled_back(record, reason, factory=FACTORY, now=START)


def started(record: Record, whole: set[SlotName] | None = None) -> Record:
    slots = set(record.slots) if whole is None else whole
    return machine.started(record, slots, factory=FACTORY, now=START)


def test_a_release_goes_into_the_free_slot_and_the_one_before_stays() -> None:
    first = confirmed("1.1.0", 1)
    second = watching("1.2.0", 2, first)

    assert (first.active, first.former) == (SlotName.A, SlotName.FACTORY)
    assert (second.active, second.former) == (SlotName.B, SlotName.A)
    assert second.step is Step.WATCHING
    assert second.before == BEFORE


def test_the_third_release_overwrites_the_first_and_never_the_one_that_counts() -> None:
    second = confirmed("1.2.0", 2, confirmed("1.1.0", 1))

    assert second.free is SlotName.A
    assert confirmed("1.3.0", 3, second).active is SlotName.A


def test_an_order_that_was_looked_at_changes_nothing_when_it_comes_again() -> None:
    record = machine.refused(wished(Record(), wish("1.1.0", 5)), reasons.MISMATCH, START)

    assert wished(record, wish("1.1.0", 5)) == record
    assert wished(record, wish("1.2.0", 4)) == record


def test_a_refused_release_is_not_fetched_again_for_an_order_about_something_else() -> None:
    record = machine.refused(wished(Record(), wish("1.1.0", 5)), reasons.MISMATCH, START)
    again = wished(record, wish("1.1.0", 6))

    assert again.step is Step.REFUSED
    assert again.seen == 6


def test_a_new_attempt_tries_a_refused_release_anew() -> None:
    record = machine.refused(wished(Record(), wish("1.1.0", 5)), reasons.MISMATCH, START)

    assert wished(record, wish("1.1.0", 6, attempt=2)).step is Step.FETCHING


def test_a_wish_for_the_release_in_use_is_confirmed_without_a_fetch() -> None:
    record = wished(confirmed("1.1.0", 1), wish("1.1.0", 2, attempt=2))

    assert record.step is Step.CONFIRMED
    assert record.active is SlotName.A


def test_a_wish_for_the_packaged_model_needs_no_fetch_and_is_watched() -> None:
    record = wished(confirmed("1.1.0", 1), wish("1.0.0", 2))

    assert record.step is Step.WATCHING
    assert record.before == BEFORE
    assert (record.active, record.former) == (SlotName.FACTORY, SlotName.A)


def test_a_wish_for_the_release_before_needs_no_fetch_and_is_watched() -> None:
    record = wished(confirmed("1.2.0", 2, confirmed("1.1.0", 1)), wish("1.1.0", 3))

    assert record.step is Step.WATCHING
    assert (record.active, record.former) == (SlotName.A, SlotName.B)


def test_asked_to_go_back_while_watching_it_goes_back_at_once() -> None:
    record = wished(watching("1.2.0", 2, confirmed("1.1.0", 1)), wish("1.1.0", 3))

    assert record.step is Step.CONFIRMED
    assert record.active is SlotName.A
    assert SlotName.B not in record.slots


def test_another_release_waits_until_the_watch_is_over() -> None:
    record = wished(watching("1.1.0", 1), wish("1.2.0", 2))
    done = machine.confirmed(record, factory=FACTORY, now=START)

    assert record.step is Step.WATCHING
    assert record.wish == wish("1.1.0", 1)
    assert done.step is Step.FETCHING
    assert done.wish == wish("1.2.0", 2)


def test_a_newer_wish_replaces_one_that_is_being_fetched() -> None:
    record = wished(wished(Record(), wish("1.1.0", 1)), wish("1.2.0", 2))

    assert record.step is Step.FETCHING
    assert record.wish == wish("1.2.0", 2)


def test_a_model_that_harms_is_left_and_forgotten() -> None:
    record = rolled_back(watching("1.2.0", 2, confirmed("1.1.0", 1)))

    assert record.step is Step.ROLLED_BACK
    assert record.reason == reasons.SLOW
    assert record.active is SlotName.A
    assert SlotName.B not in record.slots
    assert record.wish == wish("1.2.0", 2)


def test_a_model_that_ends_the_agent_is_left_after_a_few_starts() -> None:
    record = watching()
    for _ in range(MOST_STARTS):
        record = started(record)
        assert record.active is SlotName.A

    record = started(record)

    assert record.active is SlotName.FACTORY
    assert (record.step, record.reason) == (Step.ROLLED_BACK, reasons.TOO_MANY_STARTS)


def test_a_release_that_ends_the_agent_while_it_is_judged_is_refused() -> None:
    record = machine.fetched(wished(Record(), wish("1.1.0", 1)), note("1.1.0"), START)
    for _ in range(MOST_ATTEMPTS):
        record = started(record)

    assert (record.step, record.reason) == (Step.REFUSED, reasons.TOO_MANY_TRIES)


def test_a_long_absence_of_the_coordinator_refuses_nothing() -> None:
    record = wished(Record(), wish("1.1.0", 1))
    for _ in range(50):
        record = started(machine.delayed(record, reasons.UNREACHABLE, START))

    assert (record.step, record.reason) == (Step.FETCHING, reasons.UNREACHABLE)
    assert record.since == START


def test_a_slot_that_is_not_whole_is_left_for_the_former() -> None:
    record = started(confirmed("1.2.0", 2, confirmed("1.1.0", 1)), {SlotName.A})

    assert record.active is SlotName.A
    assert record.reason == reasons.DAMAGED


def test_with_both_slots_damaged_the_packaged_model_counts() -> None:
    record = started(confirmed("1.2.0", 2, confirmed("1.1.0", 1)), set())

    assert (record.active, record.former, record.slots) == (SlotName.FACTORY, SlotName.FACTORY, {})


def test_interrupted_between_gate_and_pointer_it_goes_on_with_the_same_slot() -> None:
    record = wished(Record(), wish("1.1.0", 1))
    record = machine.fetched(record, note("1.1.0"), START)
    record = machine.passed(machine.built(machine.verified(record, START), START), FIGURES, START)

    again = started(record)

    assert (again.step, again.target) == (Step.GATING, SlotName.A)
    assert machine.activated(again, BEFORE, START).active is SlotName.A


def test_nothing_is_activated_that_did_not_pass() -> None:
    with pytest.raises(ValueError, match="nothing to activate"):
        machine.activated(wished(Record(), wish("1.1.0", 1)), BEFORE, START)


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Whatever happens, in whatever order: one model is chosen, and it passed the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.record = Record()
        self.order = 0
        self.now = START
        self.passed: set[str] = set()

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @rule(minor=st.integers(0, 3), attempt=st.integers(1, 2), is_old=st.booleans())
    def is_wished(self, minor: int, attempt: int, is_old: bool) -> None:
        self.order += 0 if is_old and self.order else 1
        asked = wish(f"1.{minor}.0", self.order, attempt=attempt)
        self.record = machine.wished(
            self.record, asked, factory=FACTORY, now=self.tick(), before=BEFORE
        )

    @precondition(lambda self: self.record.step is Step.FETCHING)
    @rule(reason=st.sampled_from([None, reasons.UNREACHABLE, reasons.UNTRUSTED]))
    def is_fetched_or_not(self, reason: str | None) -> None:
        assert self.record.wish is not None
        if reason is None:
            candidate = note(self.record.wish.version)
            self.record = machine.fetched(self.record, candidate, self.tick())
        else:
            self.record = machine.delayed(self.record, reason, self.tick())

    @precondition(
        lambda self: self.record.step in PREPARING - {Step.FETCHING} and not self.record.target
    )
    @rule(end=st.sampled_from(["verified", "built", "passed", "refused", "delayed"]))
    def is_judged(self, end: str) -> None:
        now = self.tick()
        if end == "passed":
            assert self.record.candidate is not None
            self.passed.add(self.record.candidate.version)
            self.record = machine.passed(self.record, FIGURES, now)
        elif end == "refused":
            self.record = machine.refused(self.record, reasons.LOW_F1, now, figures=FIGURES)
        elif end == "delayed":
            self.record = machine.delayed(self.record, reasons.DAMAGED, now)
        else:
            step = {"verified": machine.verified, "built": machine.built}[end]
            self.record = step(self.record, now)

    @precondition(lambda self: self.record.target is not None)
    @rule()
    def is_activated(self) -> None:
        counting = self.record.active
        self.record = machine.activated(self.record, BEFORE, self.tick())
        assert self.record.former is counting
        assert self.record.active is not counting

    @precondition(lambda self: self.record.step is Step.WATCHING)
    @rule(is_good=st.booleans())
    def is_watched(self, is_good: bool) -> None:
        end = machine.confirmed if is_good else None
        now = self.tick()
        self.record = (
            end(self.record, factory=FACTORY, now=now)
            if end
            else machine.rolled_back(self.record, reasons.SLOW, factory=FACTORY, now=now)
        )

    @rule(lost=st.sets(st.sampled_from([SlotName.A, SlotName.B])))
    def loses_power(self, lost: set[SlotName]) -> None:
        whole = set(self.record.slots) - lost
        self.record = machine.started(self.record, whole, factory=FACTORY, now=self.tick())
        assert self.record.active is SlotName.FACTORY or self.record.active in whole

    @invariant()
    def the_model_in_use_is_the_packaged_one_or_passed_the_gate(self) -> None:
        active = self.record.slots.get(self.record.active)
        assert self.record.active is SlotName.FACTORY or active is not None
        assert active is None or active.version in self.passed

    @invariant()
    def a_new_release_never_goes_where_the_box_counts(self) -> None:
        assert self.record.free not in {self.record.active, SlotName.FACTORY}
        assert self.record.target is not self.record.active

    @invariant()
    def only_what_is_watched_can_be_left_for_another(self) -> None:
        if self.record.step is Step.WATCHING:
            assert self.record.active is not self.record.former

    @invariant()
    def what_is_written_can_be_read(self) -> None:
        assert Record.model_validate_json(self.record.model_dump_json()) == self.record


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
