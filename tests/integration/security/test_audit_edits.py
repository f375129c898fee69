"""Whatever somebody who owns the machine edits, the first entry that does not hold is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import astuple
from datetime import timedelta
from pathlib import Path
from sqlite3 import Connection

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from coordinator.database import Database
from coordinator.security.audit_entries import ENTRY_FIELDS, AuditEntry, Link, next_entry
from coordinator.security.audit_verification import AuditVerdict, Fault, verify_log
from coordinator.security.checkpoints import Checkpoint, Checkpoints
from tests.fakes.audit_log import (
    NOON,
    TENANT,
    add,
    chain,
    deed,
    filled,
    put_head,
    remove,
    tampering,
)
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

COUNT = 12
# One file for all examples: each begins with a fresh copy.
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[AuditEntry]]:
    """A log of a dozen entries that nobody touched."""
    file = tmp_path_factory.mktemp("audit") / "its.db"
    return file, filled(file, count=COUNT)


def edited(original: Path, edit: Callable[[Connection], object]) -> AuditVerdict:
    """What verification says of a copy after an edit."""
    copy = original.with_name("edited.db")
    for file in copy.parent.glob("edited.db*"):
        file.unlink()
    shutil.copy(original, copy)
    with tampering(copy) as connection:
        edit(connection)
    return verified(copy)


def verified(file: Path, *points: Checkpoint, signer: Checkpoints | None = None) -> AuditVerdict:
    database = Database(f"sqlite:///{file}")
    try:
        return verify_log(database, points, key=signer.key() if signer else None)
    finally:
        database.close()


def named(verdict: AuditVerdict) -> list[int]:
    return [fault.number for fault in verdict.faults if fault.tenant == TENANT]


def test_a_log_that_nobody_touched_holds(original: tuple[Path, list[AuditEntry]]) -> None:
    verdict = edited(original[0], lambda _: None)

    assert verdict.is_intact
    assert verdict.chains[0].holds == original[1][-1].link


@EXAMPLES
@given(
    name=st.sampled_from([name for name in ENTRY_FIELDS if name != "number"]),
    number=st.integers(1, COUNT),
    where=st.integers(0, 10_000),
)
def test_any_flipped_bit_of_any_text_is_located(
    original: tuple[Path, list[AuditEntry]], name: str, number: int, where: int
) -> None:
    file, entries = original
    content = bytearray(getattr(entries[number - 1], name).encode())
    content[where // 8 % len(content)] ^= 1 << where % 8
    changed = bytes(content)

    verdict = edited(
        file,
        lambda c: c.execute(
            f"UPDATE audit_entry SET {name} = CAST(? AS TEXT) WHERE number = ?",  # noqa: S608
            (changed, number),
        ),
    )

    assert named(verdict) == [number]


@EXAMPLES
@given(number=st.integers(1, COUNT), bit=st.integers(0, 63))
def test_any_flipped_bit_of_a_number_is_located(
    original: tuple[Path, list[AuditEntry]], number: int, bit: int
) -> None:
    changed = number ^ (1 << bit) if bit < 63 else number - 2**63
    assume(changed not in range(1, COUNT + 1))

    verdict = edited(
        original[0],
        lambda c: c.execute(
            "UPDATE audit_entry SET number = ? WHERE number = ?", (changed, number)
        ),
    )

    assert named(verdict) == [min(number, changed)]


@pytest.mark.parametrize("name", [name for name in ENTRY_FIELDS if name != "number"])
def test_a_text_that_became_bytes_is_located(
    original: tuple[Path, list[AuditEntry]], name: str
) -> None:
    verdict = edited(
        original[0],
        lambda c: c.execute(f"UPDATE audit_entry SET {name} = CAST({name} AS BLOB) "  # noqa: S608
                            "WHERE number = 5"),
    )  # fmt: skip

    assert named(verdict) == [5]


@EXAMPLES
@given(name=st.sampled_from(["tenant_id", "number", "digest"]), where=st.integers(0, 511))
def test_any_flipped_bit_of_the_head_is_noticed(
    original: tuple[Path, list[AuditEntry]], name: str, where: int
) -> None:
    file, entries = original
    kept: object
    if name == "number":
        kept = COUNT ^ (1 << where % 63)
    else:
        content = bytearray(b"city" if name == "tenant_id" else entries[-1].digest.encode())
        content[where // 8 % len(content)] ^= 1 << where % 8
        kept = bytes(content)
    kind = "INTEGER" if name == "number" else "TEXT"

    verdict = edited(
        file,
        lambda c: c.execute(f"UPDATE audit_head SET {name} = CAST(? AS {kind})", (kept,)),  # noqa: S608
    )

    assert not verdict.is_intact


@EXAMPLES
@given(number=st.integers(1, COUNT))
def test_a_removed_entry_is_located(original: tuple[Path, list[AuditEntry]], number: int) -> None:
    verdict = edited(original[0], lambda c: remove(c, first=number, last=number))

    assert named(verdict) == [number]
    assert "it is missing" in verdict.faults[0].reason


@EXAMPLES
@given(numbers=st.sets(st.integers(1, COUNT), min_size=2, max_size=2))
def test_two_swapped_entries_are_located(
    original: tuple[Path, list[AuditEntry]], numbers: set[int]
) -> None:
    low, high = sorted(numbers)

    def swap(connection: Connection) -> None:
        for old, new in ((low, -1), (high, low), (-1, high)):
            connection.execute("UPDATE audit_entry SET number = ? WHERE number = ?", (new, old))

    assert named(edited(original[0], swap)) == [low]


@EXAMPLES
@given(number=st.integers(1, COUNT + 1))
def test_an_inserted_entry_is_located_even_when_its_digest_is_right(
    original: tuple[Path, list[AuditEntry]], number: int
) -> None:
    file, entries = original
    link = entries[number - 2].link if number > 1 else Link()
    forged = next_entry(TENANT, deed(number, why="never happened"), after=link)

    def insert(connection: Connection) -> None:
        for old in range(COUNT, number - 1, -1):
            connection.execute("UPDATE audit_entry SET number = ? WHERE number = ?", (old + 1, old))
        add(connection, [forged])

    # A forged entry that fits the one before it is given away by the one after it.
    assert named(edited(file, insert)) == [number + 1 if number <= COUNT else number]


def test_an_entry_of_nobody_is_a_fault_of_its_own(
    original: tuple[Path, list[AuditEntry]],
) -> None:
    stranger = next_entry("zoo", deed(1), after=next(chain(1, 1)).link)

    verdict = edited(original[0], lambda c: add(c, [stranger]))

    assert [(fault.tenant, fault.number) for fault in verdict.faults] == [("zoo", 1)]


@pytest.fixture
def signer(tmp_path: Path) -> tuple[Path, Checkpoints]:
    """A log of twelve entries, signed at the fourth and at the eighth."""
    file = tmp_path / "its.db"
    entries = filled(file, count=COUNT)
    clock = StandingClock(NOON)
    checkpoints = Checkpoints(
        Database(f"sqlite:///{file}"),
        keys_folder=tmp_path / "keys",
        file=tmp_path / "audit" / "checkpoints.jsonl",
        clock=clock,
    )
    for end in (4, 8, 12):
        with tampering(file) as connection:
            connection.execute("DELETE FROM audit_entry")
            add(connection, entries[:end])
            put_head(connection, entries[end - 1])
        if end < COUNT:
            clock.move(timedelta(days=2).total_seconds())
            assert [point.number for point in checkpoints.sign_due()] == [end]
    return file, checkpoints


def kept(checkpoints: Checkpoints) -> list[Checkpoint]:
    return [
        Checkpoint.model_validate_json(line) for line in checkpoints.file.read_text().splitlines()
    ]


def test_a_log_that_was_made_anew_meets_no_kept_checkpoint(
    signer: tuple[Path, Checkpoints],
) -> None:
    file, checkpoints = signer
    entries = list(chain(1, 5))
    forged = next_entry(TENANT, deed(6, why="sold"), after=entries[-1].link)
    rest = list(chain(7, COUNT, after=forged.link))

    with tampering(file) as connection:
        remove(connection, first=6, last=COUNT)
        add(connection, [forged, *rest])
        put_head(connection, rest[-1])

    assert verified(file).is_intact
    verdict = verified(file, *kept(checkpoints), signer=checkpoints)
    assert named(verdict) == [5]
    assert "up to 8 was rewritten" in verdict.faults[0].reason


def test_a_log_that_was_cut_off_with_its_head_lacks_what_a_checkpoint_names(
    signer: tuple[Path, Checkpoints],
) -> None:
    file, checkpoints = signer
    entries = list(chain(1, 6))

    with tampering(file) as connection:
        remove(connection, first=7, last=COUNT)
        put_head(connection, entries[-1])

    assert verified(file).is_intact
    verdict = verified(file, *kept(checkpoints), signer=checkpoints)
    assert named(verdict) == [7]
    assert "checkpoint of 2026-03-18 12:00 UTC is of entry 8" in verdict.faults[0].reason


def test_an_emptied_log_is_missed(signer: tuple[Path, Checkpoints]) -> None:
    file, checkpoints = signer

    with tampering(file) as connection:
        remove(connection, first=1, last=COUNT)
        connection.execute("DELETE FROM audit_head")

    assert verified(file).is_intact
    assert named(verified(file, *kept(checkpoints), signer=checkpoints)) == [1]


@pytest.mark.parametrize("name", ["tenant", "number", "digest", "at", "key", "signature"])
def test_a_changed_checkpoint_is_not_believed(signer: tuple[Path, Checkpoints], name: str) -> None:
    file, checkpoints = signer
    point = kept(checkpoints)[0]
    other = {
        "tenant": "town",
        "number": 5,
        "digest": "1" * 64,
        "at": NOON,
        "key": "A" * 43 + "=",
        "signature": kept(checkpoints)[1].signature,
    }

    verdict = verified(file, point.model_copy(update={name: other[name]}), signer=checkpoints)

    assert [type(fault) for fault in verdict.faults] == [Fault]
    assert "cannot be believed" in verdict.faults[0].reason


def test_entries_are_rows_in_the_order_of_their_fields(
    original: tuple[Path, list[AuditEntry]],
) -> None:
    with tampering(original[0].with_name("rows.db")) as connection:
        connection.execute("ATTACH ? AS original", (str(original[0]),))
        (row,) = connection.execute("SELECT * FROM original.audit_entry WHERE number = 1")

    assert row == astuple(original[1][0])
