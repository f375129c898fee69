"""Ledger and status of a run → what is new, and how far the run has come.

The folder is evidence, the database decides: a line counts only when the chain up to it holds
and goes on from the last line that was taken in before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from common.errors import NotFoundError, TrustError
from common.round_ledger import LedgerLine, read_ledger
from common.rounds import RoundOutcome, RunPlan, RunState

CLIENT = "client"
ROUND_FINISHED = "round_finished"
RUN_RESUMED = "run_resumed"

_LAST_WORDS = {
    "evaluated": RunState.EVALUATED,
    "candidate": RunState.CANDIDATE,
    "rejected": RunState.REJECTED,
    "failed": RunState.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How far a ledger was taken in: lines, and the digest of the last of them."""

    lines: int = 0
    head: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a ledger says.

    Attributes:
        new: Lines after the ones that were taken in.
        rounds: Finished rounds by number, the last word on each: a bench that lost its newest
            weights finishes their round again.
        reached: The state that the lines prove.
    """

    new: tuple[LedgerLine, ...]
    rounds: tuple[RoundOutcome, ...]
    reached: RunState

    @property
    def taken(self) -> Taken | None:
        """How far it is taken in after the new lines; None without any."""
        if not self.new:
            return None
        return Taken(lines=self.new[-1].number, head=self.new[-1].digest)


def read_evidence(path: Path, plan: RunPlan, taken: Taken) -> Evidence:
    """Read a ledger from its first line.

    Args:
        path: The ledger; one that is not there yet has no lines.
        plan: What was planned.
        taken: How far it was taken in before.

    Raises:
        TrustError: A line does not hold, lines that were taken in are gone or others, or a
            round is not what it should be.
    """
    lines = _lines(path)
    if len(lines) < taken.lines:
        raise TrustError(f"ledger {path} has {len(lines)} lines, expected at least {taken.lines}")
    if taken.lines and lines[taken.lines - 1].digest != taken.head:
        raise TrustError(
            f"line {taken.lines} of {path} is another than the one taken in before",
            hint="somebody rewrote the ledger; the database holds what it said",
        )
    rounds = {outcome.number: outcome for outcome in map(_round, _of(lines, ROUND_FINISHED))}
    known = {client.device for client in plan.clients}
    for number, outcome in rounds.items():
        strangers = {client.device for client in outcome.clients} - known
        if number > plan.rounds or strangers:
            raise TrustError(
                f"round {number} of {path} was not planned: "
                f"{', '.join(sorted(strangers)[:3]) or f'{plan.rounds} rounds'}"
            )
    new = tuple(lines[taken.lines :])
    return Evidence(
        new=new,
        rounds=tuple(rounds[number] for number in sorted(rounds)),
        reached=_reached(lines, new, has_all=set(rounds) == set(range(1, plan.rounds + 1))),
    )


def _lines(path: Path) -> list[LedgerLine]:
    try:
        return list(read_ledger(path))
    except NotFoundError:
        return []


def _reached(lines: Sequence[LedgerLine], new: Sequence[LedgerLine], *, has_all: bool) -> RunState:
    """The last word on the run; an old failure does not count once the run was resumed."""
    told = [line for line in lines if line.kind in (*_LAST_WORDS, RUN_RESUMED)]
    last = _LAST_WORDS.get(told[-1].kind) if told else None
    if last is RunState.FAILED and (not new or told[-1].number < new[0].number):
        last = None
    if last is RunState.FAILED or (last is not None and has_all):
        return last
    return RunState.SCREENED if has_all else RunState.RUNNING


def _of(lines: Sequence[LedgerLine], kind: str) -> list[LedgerLine]:
    return [line for line in lines if line.kind == kind]


def _round(line: LedgerLine) -> RoundOutcome:
    try:
        return RoundOutcome.model_validate(line.body)
    except ValidationError as error:
        raise TrustError(f"line {line.number} of the ledger is no finished round") from error
