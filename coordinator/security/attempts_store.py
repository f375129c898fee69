"""Attempts that have not succeeded ↔ rows; charged before anything is checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text
from sqlmodel import Session, col

from coordinator.security.people_tables import SignInAttemptsRow

FREE_ATTEMPTS = 5
"""So many wrong ones in a row cost nothing; fingers slip."""

FIRST_PAUSE_S = 30
LONGEST_PAUSE_S = 900
"""A quarter of an hour: 96 guesses a day, of which three codes in a million are right."""

MOST_ATTEMPTS = 100
HARD_PAUSE_S = 86_400
"""NIST SP 800-63B-4 3.2.2: no more than 100 in a row; from then on one a day, or a link."""

_FORGOTTEN = timedelta(days=2)
_FIRST = text(
    "INSERT INTO sign_in_attempts (key, attempts, last_at, paused_until) "
    "VALUES (:key, 0, :now, NULL) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What an attempt cost.

    Attributes:
        may_try: False while the name is paused; then nothing was charged.
        pause_s: How long the name is paused: from now, or still.
    """

    may_try: bool
    pause_s: float


class AttemptsStore:
    """Attempts by keyed name, in one transaction."""

    def __init__(self, session: Session) -> None:
        """Work through ``session``."""
        self._session = session

    def charge(self, key: str, *, now: datetime) -> Charge:
        """Count an attempt as failed before it is made: many at once gain nothing by it."""
        self._forget(now)
        row = self._locked(key, now=now)
        if row.paused_until is not None and row.paused_until > now:
            return Charge(may_try=False, pause_s=(row.paused_until - now).total_seconds())
        row.attempts += 1
        row.last_at = now
        pause_s = pause_after(row.attempts)
        row.paused_until = now + timedelta(seconds=pause_s) if pause_s else None
        self._session.add(row)
        self._session.flush()
        return Charge(may_try=True, pause_s=pause_s)

    def refund(self, key: str, *, now: datetime) -> None:
        """The attempt was right, and more is asked for: earlier wrong ones stay."""
        row = self._locked(key, now=now)
        row.attempts = max(0, row.attempts - 1)
        row.paused_until = None
        self._session.add(row)
        self._session.flush()

    def clear(self, key: str) -> None:
        """Somebody signed in completely, or an administrator vouches for them."""
        self._session.execute(delete(SignInAttemptsRow).where(col(SignInAttemptsRow.key) == key))

    def _locked(self, key: str, *, now: datetime) -> SignInAttemptsRow:
        query = (
            select(SignInAttemptsRow)
            .where(col(SignInAttemptsRow.key) == key)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        row = self._session.scalars(query).one_or_none()
        if row is None:
            self._session.execute(_FIRST, {"key": key, "now": now})
            row = self._session.scalars(query).one()
        return row

    def _forget(self, now: datetime) -> None:
        self._session.execute(
            delete(SignInAttemptsRow).where(col(SignInAttemptsRow.last_at) < now - _FORGOTTEN)
        )


def pause_after(attempts: int) -> float:
    """Seconds that a name pauses after so many wrong attempts in a row."""
    if attempts < FREE_ATTEMPTS:
        return 0
    if attempts >= MOST_ATTEMPTS:
        return HARD_PAUSE_S
    # The exponent is bounded: the doubling ends long before.
    doublings = min(attempts - FREE_ATTEMPTS, 10)
    return min(FIRST_PAUSE_S * 2.0**doublings, LONGEST_PAUSE_S)
