"""Second factors and recovery codes ↔ rows; each code counts once, whoever is faster."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlmodel import Session, col

from coordinator.security.people_tables import FactorRow, RecoveryCodeRow


class FactorsStore:
    """Factors, in one transaction; accounts were looked up in their tenant before."""

    def __init__(self, session: Session) -> None:
        """Work through ``session``."""
        self._session = session

    def factor(self, account_id: str) -> FactorRow | None:
        """The factor of an account, confirmed or waiting."""
        return self._session.get(FactorRow, account_id, populate_existing=True)

    def put_waiting(self, account_id: str, seed: bytes) -> None:
        """Keep a seed until its first code was shown; the one in use stays."""
        row = self.factor(account_id) or FactorRow(account_id=account_id)
        row.waiting_seed = seed
        self._session.add(row)
        self._session.flush()

    def confirm(self, account_id: str, *, step: int, now: datetime) -> bool:
        """Use the waiting seed from now on; False when it was confirmed already.

        Args:
            account_id: Whose.
            step: Of the code that was shown; it does not count again.
            now: When.
        """
        statement = (
            update(FactorRow)
            .where(
                col(FactorRow.account_id) == account_id, col(FactorRow.waiting_seed).is_not(None)
            )
            .values(
                seed=col(FactorRow.waiting_seed),
                waiting_seed=None,
                confirmed_at=now,
                last_step=step,
            )
        )
        return self._changed(statement) == 1

    def use_step(self, account_id: str, step: int) -> bool:
        """Take the code of a time step; False when it, or a later one, was used before."""
        statement = (
            update(FactorRow)
            .where(col(FactorRow.account_id) == account_id, col(FactorRow.last_step) < step)
            .values(last_step=step)
        )
        return self._changed(statement) == 1

    def put_recovery_codes(self, account_id: str, digests: Iterable[str]) -> None:
        """Exchange the recovery codes."""
        self._session.execute(
            delete(RecoveryCodeRow).where(col(RecoveryCodeRow.account_id) == account_id)
        )
        for digest in digests:
            self._session.add(RecoveryCodeRow(digest=digest, account_id=account_id))
        self._session.flush()

    def use_recovery_code(self, account_id: str, digest: str, *, now: datetime) -> bool:
        """Take a recovery code; False when there is none such, or it was used."""
        statement = (
            update(RecoveryCodeRow)
            .where(
                col(RecoveryCodeRow.digest) == digest,
                col(RecoveryCodeRow.account_id) == account_id,
                col(RecoveryCodeRow.used_at).is_(None),
            )
            .values(used_at=now)
        )
        return self._changed(statement) == 1

    def recovery_codes_left(self, account_id: str) -> int:
        """How many were not used yet."""
        query = select(func.count()).where(
            col(RecoveryCodeRow.account_id) == account_id, col(RecoveryCodeRow.used_at).is_(None)
        )
        return int(self._session.scalar(query) or 0)

    def remove(self, account_id: str) -> None:
        """Forget factor and recovery codes."""
        for row in (RecoveryCodeRow, FactorRow):
            self._session.execute(delete(row).where(col(row.account_id) == account_id))

    def _changed(self, statement: Any) -> int:
        return cast("CursorResult[Any]", self._session.execute(statement)).rowcount
