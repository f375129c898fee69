"""A round and somebody who reaches devices → judged updates, ready to be aggregated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.rounds import ClientOutcome, RoundOutcome, RunPlan
from models.federated.collecting import Exchange
from models.federated.orders import GlobalWeights
from models.federated.parameters import Layout
from models.federated.round_judging import arrivals, collect, outcomes
from models.federated.round_orders import facts_of, orders_of
from models.federated.screening import screen
from models.federated.secure_round import SUM, SecureExchange, secure_judged, secure_outcomes
from models.federated.spool import Updates, UpdatesInMemory, UpdateSpool
from models.federated.trainers import Bench
from models.federated.verdicts import Judged, known_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a round asks, and what came before.

    Attributes:
        number: Of the round, from 1.
        sent: The global weights as they travel.
        before: Rounds that are finished.
    """

    plan: RunPlan
    number: int
    sent: GlobalWeights
    layout: Layout
    before: Sequence[RoundOutcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a round brought.

    Attributes:
        clients: One for each planned device.
        judged: What aggregation takes.
        updates: Where the deltas are.
        digest: Over everything that arrived.
    """

    clients: tuple[ClientOutcome, ...]
    judged: tuple[Judged, ...]
    updates: Updates
    digest: str = ""


def gather(asking: Asking, exchange: Exchange, spool: UpdateSpool, bench: Bench) -> Gathered:
    """Ask every device, keep what comes on disk, and judge it.

    Args:
        asking: What a round asks.
        exchange: Reaches the devices.
        spool: Of this round, empty.
        bench: Has the pictures that updates are asked about.

    Raises:
        ItsError: Nobody can be reached.
    """
    plan, number, sent = asking.plan, asking.number, asking.sent
    orders = orders_of(plan, number, sent, asking.layout)
    replies = exchange.ask(orders, sent.data, deadline_s=plan.deadline_s)
    collected = collect(replies, spool, plan=plan, number=number)
    judged = screen(
        arrivals(collected, spool),
        facts=facts_of(plan, number, sent, asking.layout, asking.before),
        settings=plan.screening,
        class_rise=bench.class_rise(sent.values) if plan.screening.is_on else None,
    )
    return Gathered(
        clients=outcomes(plan, collected, judged),
        judged=judged,
        updates=spool,
        digest=collected.digest,
    )


def gather_secure(asking: Asking, secure: SecureExchange) -> Gathered:
    """Have the devices hide their updates, and take the mean as it is.

    Raises:
        ConflictError: Too few devices stayed until the end.
    """
    plan, sent = asking.plan, asking.sent
    summed = secure.mean_of(
        orders_of(plan, asking.number, sent, asking.layout),
        sent.data,
        most_samples=max(1, *known_samples(plan).values()),
        deadline_s=plan.deadline_s,
    )
    return Gathered(
        clients=secure_outcomes(plan, summed.answers),
        judged=secure_judged(),
        updates=UpdatesInMemory(asking.layout, {SUM: summed.mean}),
    )
