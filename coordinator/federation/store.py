"""Runs, rounds, clients and events of one tenant ↔ rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from common.errors import ConflictError, NotFoundError
from common.rounds import ClientOutcome, ClientVerdict, RoundOutcome, RunPlan, RunState
from coordinator.federation.states import way
from coordinator.federation.tables import ClientRoundRow, RoundRow, RunEventRow, RunRow

_MOST_CLAIMED = 2**62
"""A claim is any number at all; the column holds eight bytes."""


class RunStore:
    """Everything about runs, for one tenant and one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, plan: RunPlan, *, now: datetime) -> RunRow:
        """Keep a new plan.

        Raises:
            ConflictError: There is a run of that name.
        """
        if self._session.get(RunRow, plan.run) is not None:
            raise ConflictError(
                f"run {plan.run!r} exists already", hint="choose another name, or resume it"
            )
        row = RunRow(
            id=plan.run,
            tenant_id=self._tenant_id,
            state=RunState.PLANNED.value,
            plan=plan.model_dump(mode="json"),
            created_at=now,
            changed_at=now,
        )
        self._session.add(row)
        self._session.flush()
        self.tell(row, "state", {"state": RunState.PLANNED.value}, now=now)
        return row

    def run(self, run: str) -> RunRow:
        """One run.

        Raises:
            NotFoundError: No such run.
        """
        return self._known(self._session.get(RunRow, run), run)

    def run_to_change(self, run: str) -> RunRow:
        """One run, held against changes by others until the end of the transaction.

        Raises:
            NotFoundError: No such run.
        """
        row = self._session.get(RunRow, run, with_for_update=True, populate_existing=True)
        return self._known(row, run)

    def runs(self, states: Collection[RunState] = ()) -> Sequence[RunRow]:
        """Runs in any of these states, or all; in order of their planning."""
        query = select(RunRow).where(col(RunRow.tenant_id) == self._tenant_id)
        if states:
            query = query.where(col(RunRow.state).in_([state.value for state in states]))
        return self._session.scalars(query.order_by(col(RunRow.created_at), col(RunRow.id))).all()

    def move(self, row: RunRow, to: RunState, *, reason: str = "", now: datetime) -> None:
        """Take a run to a state, through every state between; each is an event.

        Raises:
            ConflictError: No arrows lead there.
        """
        for state in way(RunState(row.state), to):
            row.state, row.changed_at = state.value, now
            detail = {"state": state.value, **({"reason": reason} if state == to else {})}
            self.tell(row, "state", detail, now=now)
        row.reason = reason[:2000]
        self._session.add(row)

    def tell(self, row: RunRow, kind: str, detail: Mapping[str, Any], *, now: datetime) -> None:
        """Write what happened; the caller holds the run, so the numbers have no holes."""
        query = select(func.max(col(RunEventRow.number))).where(col(RunEventRow.run_id) == row.id)
        last = self._session.scalar(query) or 0
        self._session.add(
            RunEventRow(
                run_id=row.id,
                number=last + 1,
                tenant_id=self._tenant_id,
                at=now,
                kind=kind,
                detail=dict(detail),
            )
        )
        self._session.flush()

    def events(self, run: str, *, after: int = 0, most: int = 1000) -> Sequence[RunEventRow]:
        """What happened after event ``after``, in order."""
        query = (
            select(RunEventRow)
            .where(
                col(RunEventRow.run_id) == run,
                col(RunEventRow.tenant_id) == self._tenant_id,
                col(RunEventRow.number) > after,
            )
            .order_by(col(RunEventRow.number))
            .limit(most)
        )
        return self._session.scalars(query).all()

    def add_round(self, row: RunRow, outcome: RoundOutcome, *, now: datetime) -> bool:
        """Keep a finished round.

        A round that was finished again, because a disk lost its weights, takes the place of the
        first; what was said of that one stays among the events.

        Returns:
            False when exactly this was kept before.
        """
        known = self._session.get(RoundRow, (row.id, outcome.number))
        if known is not None:
            if (known.weights_sha256, known.took_s) == (outcome.weights_sha256, outcome.took_s):
                return False
            self._forget(known)
        self._session.add(
            RoundRow(
                run_id=row.id,
                tenant_id=self._tenant_id,
                finished_at=now,
                **outcome.model_dump(exclude={"clients"}),
            )
        )
        for client in outcome.clients:
            self._session.add(self._client(row.id, outcome.number, client))
        row.round = max(row.round, outcome.number)
        self._session.add(row)
        self._session.flush()
        return True

    def rounds(self, run: str) -> list[RoundOutcome]:
        """Finished rounds in order, each with its clients by name."""
        clients: dict[int, list[ClientOutcome]] = {}
        query = (
            select(ClientRoundRow)
            .where(
                col(ClientRoundRow.run_id) == run,
                col(ClientRoundRow.tenant_id) == self._tenant_id,
            )
            .order_by(col(ClientRoundRow.device_id))
        )
        for one in self._session.scalars(query):
            clients.setdefault(one.number, []).append(_outcome(one))
        finished = (
            select(RoundRow)
            .where(col(RoundRow.run_id) == run, col(RoundRow.tenant_id) == self._tenant_id)
            .order_by(col(RoundRow.number))
        )
        return [
            RoundOutcome(
                number=row.number,
                clients=tuple(clients.get(row.number, ())),
                weights_sha256=row.weights_sha256,
                took_s=row.took_s,
                map50=row.map50,
                epsilon=row.epsilon,
            )
            for row in self._session.scalars(finished)
        ]

    def _forget(self, known: RoundRow) -> None:
        self._session.execute(
            delete(ClientRoundRow).where(
                col(ClientRoundRow.run_id) == known.run_id,
                col(ClientRoundRow.number) == known.number,
            )
        )
        self._session.delete(known)
        self._session.flush()

    def _client(self, run: str, number: int, client: ClientOutcome) -> ClientRoundRow:
        facts = client.model_dump(mode="json", exclude={"device", "claimed_samples"})
        return ClientRoundRow(
            run_id=run,
            number=number,
            device_id=client.device,
            tenant_id=self._tenant_id,
            claimed_samples=min(client.claimed_samples, _MOST_CLAIMED),
            **facts,
        )

    def _known(self, row: RunRow | None, run: str) -> RunRow:
        if row is None or row.tenant_id != self._tenant_id:
            raise NotFoundError(
                f"run {run[:64]!r} is not known",
                hint="list the runs with: its-camera-ai rounds list",
            )
        return row


def _outcome(row: ClientRoundRow) -> ClientOutcome:
    return ClientOutcome(
        device=row.device_id,
        verdict=ClientVerdict(row.verdict),
        reasons=tuple(row.reasons),
        **row.model_dump(
            exclude={"run_id", "number", "device_id", "tenant_id", "verdict", "reasons"}
        ),
    )
