from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.errors import TrustError
from common.round_ledger import RoundLedger
from common.rounds import ParentModel, PlannedClient, RunPlan, RunState
from coordinator.federation.evidence import Taken, read_evidence
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 22, tzinfo=UTC)
PLAN = RunPlan(
    run="r",
    created_at=NOW,
    parent=ParentModel(name="its", version="1", sha256="0" * 64, file=Path("parent.pt")),
    clients=(PlannedClient(device="a", samples=9), PlannedClient(device="b", samples=9)),
    rounds=2,
)


def finished(number: int, *devices: str) -> tuple[str, dict[str, Any]]:
    clients = [{"device": name, "verdict": "accepted"} for name in devices or ("a", "b")]
    body = {"number": number, "clients": clients, "weights_sha256": "1" * 64, "took_s": 3.0}
    return "round_finished", body


STARTED: tuple[str, dict[str, Any]] = ("run_started", {})
RESUMED: tuple[str, dict[str, Any]] = ("run_resumed", {})
EVALUATED: tuple[str, dict[str, Any]] = ("evaluated", {})
CANDIDATE: tuple[str, dict[str, Any]] = ("candidate", {})
FAILED: tuple[str, dict[str, Any]] = ("failed", {})


def write(path: Path, *lines: tuple[str, dict[str, Any]]) -> list[str]:
    with RoundLedger(path, clock=StandingClock(NOW)) as ledger:
        return [ledger.append(kind, body).digest for kind, body in lines]


@pytest.mark.parametrize(
    ("lines", "reached"),
    [
        pytest.param([], RunState.RUNNING, id="nothing yet"),
        pytest.param([STARTED, finished(1)], RunState.RUNNING, id="one of two rounds"),
        pytest.param([STARTED, finished(1), finished(2)], RunState.SCREENED, id="both rounds"),
        pytest.param([finished(1), finished(2), EVALUATED], RunState.EVALUATED, id="scores"),
        pytest.param(
            [finished(1), finished(2), EVALUATED, CANDIDATE], RunState.CANDIDATE, id="verdict"
        ),
        pytest.param(
            [finished(1), EVALUATED, CANDIDATE], RunState.RUNNING, id="a round is missing"
        ),
        pytest.param([STARTED, FAILED], RunState.FAILED, id="failed"),
        pytest.param([STARTED, FAILED, RESUMED], RunState.RUNNING, id="failed and resumed"),
        pytest.param([finished(1), finished(1), finished(2)], RunState.SCREENED, id="repeated"),
    ],
)
def test_lines_prove_a_state(
    tmp_path: Path, lines: list[tuple[str, dict[str, Any]]], reached: RunState
) -> None:
    path = tmp_path / "ledger.jsonl"
    if lines:
        write(path, *lines)

    assert read_evidence(path, PLAN, Taken()).reached is reached


def test_a_failure_that_was_taken_in_counts_no_more(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    *_, head = write(path, STARTED, FAILED)

    evidence = read_evidence(path, PLAN, Taken(lines=2, head=head))

    assert (evidence.reached, evidence.new, evidence.taken) == (RunState.RUNNING, (), None)


def test_only_new_lines_are_new(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    digests = write(path, STARTED, finished(1), finished(2))

    evidence = read_evidence(path, PLAN, Taken(lines=2, head=digests[1]))

    assert [line.kind for line in evidence.new] == ["round_finished"]
    assert [outcome.number for outcome in evidence.rounds] == [1, 2]
    assert evidence.taken == Taken(lines=3, head=digests[2])


@pytest.mark.parametrize(
    ("lines", "taken", "why"),
    [
        pytest.param([STARTED], Taken(lines=2, head="0" * 64), "has 1 lines", id="cut"),
        pytest.param([STARTED], Taken(lines=1, head="0" * 64), "line 1 of", id="rewritten"),
        pytest.param([finished(3)], Taken(), "was not planned", id="a third round of two"),
        pytest.param([finished(1, "a", "x")], Taken(), "was not planned: x", id="a stranger"),
        pytest.param([("round_finished", {})], Taken(), "no finished round", id="no round"),
    ],
)
def test_a_ledger_that_is_not_ours_is_refused(
    tmp_path: Path, lines: list[tuple[str, dict[str, Any]]], taken: Taken, why: str
) -> None:
    path = tmp_path / "ledger.jsonl"
    write(path, *lines)

    with pytest.raises(TrustError, match=why):
        read_evidence(path, PLAN, taken)


def test_the_last_word_on_a_round_counts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    kind, body = finished(1)
    write(path, (kind, body), RESUMED, (kind, body | {"weights_sha256": "2" * 64}))

    (outcome,) = read_evidence(path, PLAN, Taken()).rounds

    assert outcome.weights_sha256 == "2" * 64


def test_a_changed_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    write(path, STARTED, finished(1))
    path.write_text(path.read_text().replace('"took_s":3.0', '"took_s":4.0'))

    with pytest.raises(TrustError, match="line 2 of"):
        read_evidence(path, PLAN, Taken())
