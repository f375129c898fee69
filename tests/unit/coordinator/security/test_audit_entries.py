"""What an entry says and vouches for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from coordinator.security.actors import Actor, ActorKind
from coordinator.security.audit_entries import (
    DETAILS,
    ENTRY_FIELDS,
    GENESIS,
    Action,
    Deed,
    Link,
    fault_of,
    next_entry,
    read_entry,
)
from tests.fakes.audit_log import NOON, TENANT, chain, deed

pytestmark = pytest.mark.unit


def test_the_first_entry_can_be_checked_with_a_json_tool_and_sha256() -> None:
    entry = next_entry(TENANT, deed(1), after=Link())

    text = (
        '{"action":"device_retired","actor_kind":"command",'
        '"actor_name":"anna: its-camera-ai fleet retire","at":"2026-03-14T12:00:01.000000Z",'
        '"detail":"{\\"certificates\\":1,\\"reason\\":\\"stolen\\"}","number":1,'
        f'"previous":"{GENESIS}","subject":"main-000001","tenant_id":"city"}}'
    )
    assert entry.digest == hashlib.sha256(b"its/v1 audit entry\n" + text.encode()).hexdigest()
    assert (entry.number, entry.previous) == (1, GENESIS)


def test_an_entry_follows_the_one_before_it() -> None:
    first, second = chain(1, 2)

    assert second.previous == first.digest
    assert fault_of(first, after=Link()) == ""
    assert fault_of(second, after=first.link) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"subject": "main-000009"}, "digest does not match", id="another subject"),
        pytest.param({"previous": GENESIS}, "digest does not match", id="another predecessor"),
        pytest.param({"digest": GENESIS}, "digest does not match", id="another digest"),
        pytest.param({"number": 3}, "missing, the next one is 3", id="a later number"),
        pytest.param({"number": 1}, "number 1 comes after 1", id="an earlier number"),
    ],
)
def test_a_changed_entry_does_not_hold(change: dict[str, Any], words: str) -> None:
    first, second = chain(1, 2)

    assert words in fault_of(replace(second, **change), after=first.link)


def test_an_entry_that_was_made_anew_does_not_carry_the_next_one() -> None:
    first, second, third = chain(1, 3)
    forged = next_entry(TENANT, deed(2, why="sold"), after=first.link)

    assert fault_of(forged, after=first.link) == ""
    assert "does not follow" in fault_of(third, after=forged.link)
    assert fault_of(third, after=second.link) == ""


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        pytest.param("subject", b"main-\xff", "subject is no text", id="not UTF-8"),
        pytest.param("subject", None, "subject is of another type", id="nothing"),
        pytest.param("number", b"1", "number is of another type", id="number as text"),
    ],
)
def test_a_row_that_is_no_entry_is_told_apart(name: str, value: object, words: str) -> None:
    (entry,) = chain(1, 1)
    stored = [v if n == "number" else v.encode() for n, v in _values(entry)]
    stored[ENTRY_FIELDS.index(name)] = value

    assert words in str(read_entry(stored))


def test_a_row_reads_as_the_entry_that_was_stored() -> None:
    (entry,) = chain(1, 1)

    assert read_entry([v if n == "number" else v.encode() for n, v in _values(entry)]) == entry


def test_nothing_is_told_that_is_not_foreseen() -> None:
    with pytest.raises(ValueError, match="password"):
        replace(deed(1), detail={"password": "x"})


def test_no_action_has_a_place_for_a_secret() -> None:
    names = {name for told in DETAILS.values() for name in told}

    assert set(DETAILS) == set(Action)
    assert not {n for n in names if "secret" in n or "password" in n or n == "token"}


def test_texts_are_cut_and_become_one_line() -> None:
    long = replace(
        deed(1),
        subject="a\x00\x1b[31m\n" + "b" * 300,
        actor=Actor(kind=ActorKind.PERSON, name="n" * 200),
        detail={"reason": "r" * 300},
    )

    entry = next_entry(TENANT, long, after=Link())

    assert entry.subject == "a??[31m?" + "b" * 247 + "…"
    assert entry.actor_name == "n" * 127 + "…"
    assert json.loads(entry.detail) == {"reason": "r" * 255 + "…"}


def _values(entry: object) -> list[tuple[str, Any]]:
    return [(name, getattr(entry, name)) for name in ENTRY_FIELDS]


def test_a_deed_of_any_foreseen_detail_fits_its_column() -> None:
    for action, names in DETAILS.items():
        told = Deed(
            actor=Actor(kind=ActorKind.SERVICE, name="its"),
            action=action,
            subject="s",
            detail=dict.fromkeys(names, "r" * 256),
            at=NOON,
        )

        assert len(next_entry(TENANT, told, after=Link()).detail) <= 4096
