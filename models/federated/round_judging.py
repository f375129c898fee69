"""Replies of a round → updates on disk, a verdict for each planned device, and its line.

Whatever a device did, it gets exactly one ``ClientOutcome``: accepted, capped, refused with
the reasons of screening, or missing with the reason why nothing came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from common.errors import ConflictError
from common.rounds import ClientOutcome, ClientVerdict, RunPlan
from models.federated.codec import UpdateError
from models.federated.collecting import Reply
from models.federated.orders import Refusal
from models.federated.spool import UpdateSpool
from models.federated.verdicts import Arrived, Judged, outcome_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is kept in memory of one reply: numbers, no values."""

    reply: Reply
    size_bytes: int
    digest: str


@dataclass(slots=True)
class Collected:
    """Replies of one round.

    Attributes:
        taken: Device → its reply without the update, which is in the spool.
        refused: Device → why nothing of it is in the spool.
    """

    taken: dict[str, Taken] = field(default_factory=dict)
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Over everything that arrived: other updates, another digest."""
        told = [f"{device}:{self.taken[device].digest}" for device in sorted(self.taken)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()


def collect(
    replies: Iterable[Reply], spool: UpdateSpool, *, plan: RunPlan, number: int
) -> Collected:
    """Put updates on disk as they arrive; a second reply of a device is ignored.

    Args:
        replies: Of planned devices and, from a broken transport, of others.
        spool: Of this round, empty.
        plan: Who was asked.
        number: Of the round.
    """
    collected = Collected()
    planned = {client.device for client in plan.clients}
    for reply in replies:
        device = reply.device
        if device not in planned or device in collected.taken or device in collected.refused:
            log.warning("reply_ignored", run=plan.run, round=number, device=device)
            continue
        if reasons := _why_not(reply, plan):
            collected.refused[device] = reasons
            log.info("reply_without_update", run=plan.run, device=device, reasons=reasons)
            continue
        try:
            digest = spool.put(device, reply.update)
        except UpdateError as error:
            collected.refused[device] = (str(error.reason),)
            continue
        except ConflictError:
            collected.refused[device] = ("spool_full",)
            continue
        kept = replace(reply, update=b"")
        collected.taken[device] = Taken(kept, len(reply.update), digest)
    return collected


def arrivals(collected: Collected, spool: UpdateSpool) -> tuple[Arrived, ...]:
    """What screening looks at."""
    return tuple(
        Arrived(
            client=device,
            vector_of=partial(spool.vector, device),
            claimed_samples=taken.reply.answer.samples,
            base_digest=taken.reply.answer.base_sha256,
            base_round=taken.reply.answer.number - 1,
            data_digest=taken.digest,
        )
        for device, taken in sorted(collected.taken.items())
        if taken.reply.answer is not None
    )


def outcomes(
    plan: RunPlan, collected: Collected, judged: Sequence[Judged]
) -> tuple[ClientOutcome, ...]:
    """One for each planned device, in the order of the plan."""
    by_client = {one.client: one for one in judged}
    return tuple(_outcome(client.device, collected, by_client) for client in plan.clients)


def _outcome(device: str, collected: Collected, judged: Mapping[str, Judged]) -> ClientOutcome:
    one = judged.get(device)
    if one is None:
        reasons = collected.refused.get(device, (Refusal.NO_ANSWER.value,))
        return ClientOutcome(device=device, verdict=ClientVerdict.MISSING, reasons=reasons)
    taken = collected.taken[device]
    answer = taken.reply.answer
    scores = dict(answer.losses) if answer else {}
    told = {"loss": scores["total"]} if "total" in scores else {}
    if answer and answer.map50 is not None:
        told["map50"] = answer.map50
    train_s = answer.train_s if answer else 0.0
    return outcome_of(one, sent_bytes=taken.size_bytes, train_s=train_s, scores=told)


def _why_not(reply: Reply, plan: RunPlan) -> tuple[str, ...]:
    """Codes why a reply brings no update; empty when it brings one."""
    answer = reply.answer
    if answer is None:
        return (str(reply.refusal or Refusal.BAD_ANSWER),)
    if answer.run != plan.run or answer.device != reply.device:
        return (str(Refusal.BAD_ANSWER),)
    if answer.refusal is not None:
        return (str(answer.refusal), *answer.reasons)
    return ()
