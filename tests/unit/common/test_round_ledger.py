"""What is in a ledger stays, and whoever changes a line is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import ConflictError, NotFoundError, TrustError, UnreachableError
from common.round_ledger import FIRST_PREVIOUS, RoundLedger, read_ledger, verify_ledger

pytestmark = pytest.mark.unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of three lines."""
    target = tmp_path / "ledger.jsonl"
    with RoundLedger(target) as ledger:
        for number in range(3):
            ledger.append("round_finished", {"round": number, "map50": 0.5})
    return target


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_lines_follow_from_each_other(path: Path) -> None:
    first, second, third = read_ledger(path)

    assert first.previous == FIRST_PREVIOUS
    assert (second.previous, third.previous) == (first.digest, second.digest)
    assert [line.body["round"] for line in (first, second, third)] == [0, 1, 2]


def test_an_intact_ledger_tells_its_length_and_head(path: Path) -> None:
    verdict = verify_ledger(path)

    assert verdict.is_intact
    assert (verdict.lines, verdict.is_torn) == (3, False)
    assert verdict.head == list(read_ledger(path))[-1].digest


def test_the_next_writer_goes_on_where_the_last_stopped(path: Path) -> None:
    with RoundLedger(path) as ledger:
        line = ledger.append("candidate", {})

    assert line.number == 4
    assert verify_ledger(path).lines == 4


def changed_value(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"round":1', b'"round":7'), lines[2]]


def resealed_value(lines: list[bytes]) -> list[bytes]:
    facts = json.loads(lines[1])
    facts["body"]["round"] = 7
    return [lines[0], json.dumps(facts, sort_keys=True).encode() + b"\n", lines[2]]


@pytest.mark.parametrize(
    ("tamper", "broken", "reason"),
    [
        pytest.param(changed_value, 2, "its digest does not match", id="a value changed"),
        pytest.param(resealed_value, 2, "not in canonical form", id="spelt another way"),
        pytest.param(lambda x: [x[0], x[2]], 2, "its number is 3", id="a line dropped"),
        pytest.param(lambda x: [x[1], x[2]], 1, "its number is 2", id="the first dropped"),
        pytest.param(lambda x: [x[0], x[2], x[1]], 2, "its number is 3", id="two swapped"),
        pytest.param(lambda x: [*x, x[2]], 4, "its number is 3", id="a line repeated"),
        pytest.param(lambda x: [x[0], b"\n", *x[1:]], 2, "not a line", id="an empty line"),
        pytest.param(lambda x: [x[0], b"{}\n", *x[1:]], 2, "not a line", id="an empty object"),
        pytest.param(lambda x: [x[0], b"\xff\n"], 2, "not a line", id="no text"),
        pytest.param(lambda _: [b"[" * 90_000 + b"\n"], 1, "not a line", id="too deep"),
    ],
)
def test_tampering_is_found_at_its_line(
    path: Path, tamper: Callable[[list[bytes]], list[bytes]], broken: int, reason: str
) -> None:
    path.write_bytes(b"".join(tamper(lines_of(path))))

    verdict = verify_ledger(path)

    assert verdict.broken_line == broken
    assert verdict.reason.startswith(reason)
    assert verdict.lines == broken - 1
    with pytest.raises(TrustError, match=f"line {broken} of"):
        list(read_ledger(path))
    with pytest.raises(TrustError, match=f"line {broken} of"):
        RoundLedger(path)


def test_another_ledgers_line_does_not_follow(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    with RoundLedger(other) as ledger:
        ledger.append("run_started", {"run": "other"})
        ledger.append("round_finished", {"round": 1})
    path.write_bytes(lines_of(path)[0] + lines_of(other)[1])

    assert verify_ledger(path).reason == "it does not follow from the line before"


@pytest.mark.parametrize("kept", [1, 30, -1])
def test_a_half_written_last_line_is_dropped_by_the_next_writer(path: Path, kept: int) -> None:
    *whole, last = lines_of(path)
    path.write_bytes(b"".join(whole) + last[:kept])

    assert verify_ledger(path).is_intact
    assert verify_ledger(path).is_torn
    assert len(list(read_ledger(path))) == 2
    with RoundLedger(path) as ledger:
        assert ledger.was_torn
        ledger.append("run_resumed", {})
    assert verify_ledger(path).lines == 3
    assert not verify_ledger(path).is_torn


def test_only_one_process_writes(path: Path) -> None:
    with RoundLedger(path), pytest.raises(ConflictError, match="another process"):
        RoundLedger(path)


def test_it_may_be_verified_while_somebody_writes(path: Path) -> None:
    with RoundLedger(path) as ledger:
        ledger.append("client", {"device": "a"})

        assert verify_ledger(path).lines == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_not_written(path: Path, value: float) -> None:
    with RoundLedger(path) as ledger:
        with pytest.raises(ValueError, match="JSON"):
            ledger.append("client", {"norm": value})

        assert ledger.lines == 3
    assert verify_ledger(path).lines == 3


def test_a_line_longer_than_the_bound_is_refused_and_a_long_one_is_not_read(path: Path) -> None:
    with RoundLedger(path) as ledger, pytest.raises(ValueError, match="expected at most"):
        ledger.append("client", {"note": "x" * (16 * 1024 * 1024)})
    path.write_bytes(b"x" * (17 * 1024 * 1024) + b"\n")

    assert verify_ledger(path).broken_line == 1


def test_no_ledger_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        verify_ledger(tmp_path / "none.jsonl")
    with pytest.raises(UnreachableError):
        RoundLedger(tmp_path / "no-folder" / "ledger.jsonl")


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)

    with pytest.raises(UnreachableError):
        RoundLedger(link)
