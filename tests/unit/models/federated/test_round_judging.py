"""Replies of a round: what is kept, what is ignored, and one line for each device."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from common.rounds import ClientVerdict, ParentModel, PlannedClient, RunPlan
from models.federated.collecting import Reply
from models.federated.orders import Refusal, TrainingAnswer
from models.federated.round_judging import arrivals, collect, outcomes
from models.federated.spool import UpdateSpool
from models.federated.verdicts import Judged
from tests.fakes.flower_trainer import layout

pytestmark = pytest.mark.unit

PLAN = RunPlan(
    run="run-1",
    created_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
    parent=ParentModel(name="synthetic", version="1.0.0", sha256="0" * 64, file=Path("p")),
    clients=(PlannedClient(device="box-1", samples=10), PlannedClient(device="box-2", samples=10)),
)


def reply(device: str, update: bytes = b"update", **told: Any) -> Reply:
    facts: dict[str, Any] = {"run": "run-1", "number": 1, "device": device, "base_sha256": "a" * 64}
    return Reply(device=device, answer=TrainingAnswer(**(facts | told)), update=update)


@pytest.fixture
def spool(tmp_path: Path) -> UpdateSpool:
    return UpdateSpool(tmp_path / "spool", layout(), most_update_bytes=100)


def test_updates_go_to_the_disk_and_only_numbers_stay(spool: UpdateSpool) -> None:
    collected = collect([reply("box-1", b"12345")], spool, plan=PLAN, number=1)

    assert spool.data("box-1") == b"12345"
    assert collected.taken["box-1"].size_bytes == 5
    assert collected.taken["box-1"].reply.update == b""


def test_only_the_first_reply_of_a_device_counts_and_a_strangers_does_not(
    spool: UpdateSpool,
) -> None:
    replies = [reply("box-1", b"first"), reply("box-1", b"second"), reply("box-9", b"stranger")]

    collected = collect(replies, spool, plan=PLAN, number=1)

    assert spool.data("box-1") == b"first"
    assert collected.taken.keys() == {"box-1"}
    assert spool.clients() == ("box-1",)


@pytest.mark.parametrize(
    ("bad", "reasons"),
    [
        pytest.param(
            reply("box-1", refusal=Refusal.NOT_READY, reasons=("temperature",)),
            ("not_ready", "temperature"),
            id="not ready",
        ),
        pytest.param(reply("box-1", b"x" * 101), ("too_big",), id="too big"),
        pytest.param(reply("box-1", run="run-2"), ("bad_answer",), id="of another run"),
        pytest.param(
            Reply(device="box-1", refusal=Refusal.NODE_LOST), ("node_lost",), id="node lost"
        ),
        pytest.param(Reply(device="box-1"), ("bad_answer",), id="nothing at all"),
    ],
)
def test_a_reply_without_a_usable_update_is_missing_with_its_reason(
    spool: UpdateSpool, bad: Reply, reasons: tuple[str, ...]
) -> None:
    collected = collect([bad], spool, plan=PLAN, number=1)

    one, other = outcomes(PLAN, collected, [])

    assert spool.clients() == ()
    assert (one.verdict, one.reasons) == (ClientVerdict.MISSING, reasons)
    assert (other.verdict, other.reasons) == (ClientVerdict.MISSING, ("no_answer",))


def test_an_answer_that_calls_itself_somebody_else_is_not_believed(spool: UpdateSpool) -> None:
    lying = Reply(device="box-1", answer=reply("box-2").answer, update=b"update")

    collected = collect([lying], spool, plan=PLAN, number=1)

    assert collected.refused == {"box-1": ("bad_answer",)}


def test_screening_hears_what_the_answer_says_and_who_the_transport_saw(
    spool: UpdateSpool,
) -> None:
    collected = collect([reply("box-2", samples=7, number=3)], spool, plan=PLAN, number=3)

    (arrived,) = arrivals(collected, spool)

    assert (arrived.client, arrived.claimed_samples) == ("box-2", 7)
    assert (arrived.base_round, arrived.base_digest) == (2, "a" * 64)


def test_a_line_of_the_ledger_holds_bytes_time_and_loss(spool: UpdateSpool) -> None:
    told = reply("box-1", b"12345", samples=7, train_s=3.5, losses={"box": 1.0, "total": 2.5})
    collected = collect([told], spool, plan=PLAN, number=1)
    judged = Judged(
        client="box-1", verdict=ClientVerdict.ACCEPTED, weight=1.0, samples=7, claimed_samples=7
    )

    one, _ = outcomes(PLAN, collected, [judged])

    assert (one.sent_bytes, one.train_s, one.loss, one.samples) == (5, 3.5, 2.5, 7)


def test_other_updates_have_another_digest(tmp_path: Path) -> None:
    digests = set()
    for number, update in enumerate([b"one", b"two", b"one"]):
        spool = UpdateSpool(tmp_path / str(number), layout())
        digests.add(collect([reply("box-1", update)], spool, plan=PLAN, number=1).digest)

    assert len(digests) == 2
