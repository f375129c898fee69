"""Rounds of all runs → measured times of devices, and figures for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from common.rounds import ClientVerdict, RunState
from coordinator.federation.tables import ClientRoundRow, RoundRow, RunRow

_MOST_MEASURED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFigures:
    """What all finished rounds add up to.

    Attributes:
        runs: State → runs.
        refused: Reason → updates that were refused for it.
    """

    rounds: int
    rounds_s: float
    runs: dict[str, int]
    refused: dict[str, int]


class FiguresStore:
    """Sums over runs, for one tenant and one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def times_s(self, device_id: str) -> Sequence[float]:
        """How long the device trained in its newest rounds, the newest first."""
        query = (
            select(col(ClientRoundRow.train_s))
            .join(
                RoundRow,
                (col(RoundRow.run_id) == col(ClientRoundRow.run_id))
                & (col(RoundRow.number) == col(ClientRoundRow.number)),
            )
            .where(
                col(ClientRoundRow.device_id) == device_id,
                col(ClientRoundRow.tenant_id) == self._tenant_id,
                col(ClientRoundRow.verdict) != ClientVerdict.MISSING.value,
                col(ClientRoundRow.train_s) > 0,
            )
            .order_by(col(RoundRow.finished_at).desc())
            .limit(_MOST_MEASURED)
        )
        return self._session.scalars(query).all()

    def figures(self) -> RoundFigures:
        """Sums over every run."""
        rounds = select(func.count(), func.coalesce(func.sum(col(RoundRow.took_s)), 0.0)).where(
            col(RoundRow.tenant_id) == self._tenant_id
        )
        number, seconds = self._session.execute(rounds).one()
        states = (
            select(col(RunRow.state), func.count())
            .where(col(RunRow.tenant_id) == self._tenant_id)
            .group_by(col(RunRow.state))
        )
        refused = select(col(ClientRoundRow.reasons)).where(
            col(ClientRoundRow.tenant_id) == self._tenant_id,
            col(ClientRoundRow.verdict) == ClientVerdict.REFUSED.value,
        )
        reasons = Counter(reason for one in self._session.scalars(refused) for reason in one)
        known = {state: int(count) for state, count in self._session.execute(states)}
        return RoundFigures(
            rounds=int(number),
            rounds_s=float(seconds),
            runs={state.value: known.get(state.value, 0) for state in RunState},
            refused=dict(reasons),
        )
