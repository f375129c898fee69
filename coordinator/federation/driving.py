"""Planned runs and what their benches write → the next state of each, again and again.

Nothing is kept in memory that matters: a coordinator that is killed anywhere reads the
database, looks at the folders, and goes on. A bench that dies is begun again at its last
finished round, later each time, until it has died too often without finishing one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from common.errors import ConfigError, ConflictError, TrustError
from common.round_ledger import LedgerLine
from common.rounds import RoundOutcome, RunPlan, RunState, RunStatus
from common.timing import Clock
from coordinator.database import Database
from coordinator.federation.bench import Bench
from coordinator.federation.evidence import (
    CLIENT,
    ROUND_FINISHED,
    Evidence,
    Taken,
    read_evidence,
)
from coordinator.federation.manager import STOPPED
from coordinator.federation.run_folder import RunFolders
from coordinator.federation.states import AT_WORK, ENDED
from coordinator.federation.store import RunStore
from coordinator.federation.tables import RunRow
from coordinator.fleet.reading_store import reading

log = structlog.get_logger(__name__)

_MOST_PAUSE_S = 60.0
_MOST_DETAIL = 64
_MOST_TOLD = 200
"""Of larger runs single boxes are no events; what became of each stands with its round."""
_PROGRESS = (RunState.RUNNING, RunState.SCREENED, RunState.EVALUATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverParts:
    """What a driver works with.

    Attributes:
        nodes: Flower's node id → device, for the bench; empty where nobody needs it.
        most_restarts: Of a bench that finishes no round between them.
    """

    database: Database
    folders: RunFolders
    bench: Bench
    clock: Clock
    tenant: str
    nodes: Callable[[], Mapping[str, str]] = dict
    most_restarts: int = 5


@dataclass(slots=True)
class RunDriver:
    """Carries out runs, one at a time: a box trains for one run only."""

    parts: DriverParts
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)

    def step(self) -> None:
        """Look once at every run that is under way, or begin the next.

        Raises:
            ItsError: The database is away, or a bench cannot be asked now; try again later.
        """
        with reading(self.parts.database) as session:
            rows = RunStore(session, self.parts.tenant).runs((*AT_WORK, RunState.PLANNED))
        working = [row for row in rows if row.state in AT_WORK]
        for row in working:
            self._look(row)
        if rows and not working:
            self._begin(rows[0])

    def rest(self) -> None:
        """End the benches in order; the runs stay under way and go on at the next start."""
        with reading(self.parts.database) as session:
            rows = RunStore(session, self.parts.tenant).runs(AT_WORK)
        for row in rows:
            self._end_bench(row)
            with self.parts.database.session() as session:
                kept = RunStore(session, self.parts.tenant).run_to_change(row.id)
                kept.handle, kept.starts = None, 0
                session.add(kept)

    def _look(self, row: RunRow) -> None:
        folder, bench = self.parts.folders.of(row.id), self.parts.bench
        # Asked before the ledger is read: what a bench wrote before it ended is seen then.
        is_alive = row.handle is not None and bench.is_alive(folder, row.handle)
        if is_alive:
            self.parts.folders.write_nodes(row.id, self.parts.nodes())
        if is_alive and not row.is_to_stop and self._is_unchanged(row.id):
            return
        try:
            evidence, status = self._evidence(row), self.parts.folders.status(row.id)
        except TrustError as error:
            self._end(row, f"{error}")
            return
        is_told = status is not None and status.state is evidence.reached
        if is_alive and evidence.reached in ENDED and not is_told:
            self._stamps.pop(row.id, None)
            return  # its last line is written, its last word is not yet
        try:
            state = self._take_in(row, evidence, status)
        except ConflictError as error:
            self._end(row, f"{error}")
            return
        if state in ENDED:
            bench.leave(folder, row.handle or "")
        elif row.is_to_stop:
            self._end(row, STOPPED)
        elif not is_alive:
            self._begin_again(row, status)

    def _is_unchanged(self, run: str) -> bool:
        """True when the ledger is as it was at the last look."""
        path = self.parts.folders.ledger(run)
        if not path.exists():
            return True
        found = path.stat()
        stamp = (found.st_mtime_ns, found.st_size)
        is_same = self._stamps.get(run) == stamp
        self._stamps[run] = stamp
        return is_same

    def _evidence(self, row: RunRow) -> Evidence:
        path = self.parts.folders.ledger(row.id)
        taken = Taken(lines=row.ledger_lines, head=row.ledger_head)
        return read_evidence(path, RunPlan.model_validate(row.plan), taken)

    def _take_in(self, row: RunRow, evidence: Evidence, status: RunStatus | None) -> RunState:
        """Keep what is new; gives the state afterwards."""
        now = self.parts.clock.now()
        with self.parts.database.session() as session:
            store = RunStore(session, self.parts.tenant)
            kept = store.run_to_change(row.id)
            has_grown = False
            for outcome in evidence.rounds:
                has_grown |= store.add_round(kept, outcome, now=now)
            is_small = len(row.plan["clients"]) <= _MOST_TOLD
            for line in evidence.new:
                if is_small or line.kind != CLIENT:
                    store.tell(kept, *_event(line), now=line.at)
            if (taken := evidence.taken) is not None:
                kept.ledger_lines, kept.ledger_head = taken.lines, taken.head
            if has_grown:
                kept.starts = 1
            reached = evidence.reached
            if _is_ahead(reached, RunState(kept.state)):
                self._tell_result(kept, status, reached)
                reason = _reason(status, reached)
                store.move(kept, reached, reason=reason, now=now)
                log.info("run_moved", run=row.id, state=reached.value, reason=reason)
            session.add(kept)
            return RunState(kept.state)

    def _tell_result(self, row: RunRow, status: RunStatus | None, reached: RunState) -> None:
        if status is None or reached not in ENDED:
            return
        row.verdict = list(status.verdict)
        if status.candidate is not None:
            folder = self.parts.folders.of(row.id)
            inside = status.candidate.is_relative_to(folder)
            named = status.candidate.relative_to(folder) if inside else status.candidate
            row.candidate = str(named)[:512]

    def _begin_again(self, row: RunRow, status: RunStatus | None) -> None:
        parts = self.parts
        waited = parts.clock.now() - row.changed_at
        has_given_up = status is not None and status.state is RunState.FAILED
        if status is not None and has_given_up and status.updated_at > row.changed_at:
            self._end(row, status.reason or "the bench gave up without a reason")
            return
        if row.starts > parts.most_restarts:
            words = parts.bench.last_words(parts.folders.of(row.id))
            self._end(row, f"the bench ended {row.starts} times without a finished round: {words}")
            return
        if row.handle is None or waited >= timedelta(seconds=_pause_s(row.starts)):
            log.warning("bench_ended", run=row.id, round=row.round, starts=row.starts)
            self._begin(row)

    def _begin(self, row: RunRow) -> None:
        """Have the bench work; a crash after it began leads here again and finds it at work."""
        parts = self.parts
        folder = parts.folders.of(row.id)
        try:
            parts.folders.write_nodes(row.id, parts.nodes())
            handle = parts.bench.begin(folder)
        except (ConfigError, TrustError) as error:
            self._end(row, f"{error}")
            return
        with parts.database.session() as session:
            store = RunStore(session, parts.tenant)
            kept = store.run_to_change(row.id)
            if kept.state == RunState.PLANNED:
                store.move(kept, RunState.RUNNING, now=parts.clock.now())
            elif kept.state not in AT_WORK:
                raise ConflictError(f"run {row.id!r} was ended while its bench began")
            kept.handle, kept.starts = handle, kept.starts + 1
            kept.changed_at = parts.clock.now()
            session.add(kept)
        log.info("bench_began", run=row.id, round=row.round, handle=handle)

    def _end(self, row: RunRow, reason: str) -> None:
        self._end_bench(row)
        with self.parts.database.session() as session:
            store = RunStore(session, self.parts.tenant)
            kept = store.run_to_change(row.id)
            if RunState(kept.state) not in ENDED:
                store.move(kept, RunState.FAILED, reason=reason, now=self.parts.clock.now())
            kept.is_to_stop = False
        log.warning("run_failed", run=row.id, round=row.round, reason=reason)

    def _end_bench(self, row: RunRow) -> None:
        if row.handle is not None:
            self.parts.bench.end(self.parts.folders.of(row.id), row.handle)


def _is_ahead(reached: RunState, state: RunState) -> bool:
    if reached in ENDED:
        return True
    return _PROGRESS.index(reached) > _PROGRESS.index(state)


def _pause_s(starts: int) -> float:
    """Before a bench is begun again: longer each time."""
    return float(min(_MOST_PAUSE_S, 2.0 ** max(0, starts - 1) - 1))


def _reason(status: RunStatus | None, reached: RunState) -> str:
    if reached is not RunState.FAILED or status is None:
        return ""
    return status.reason or "the bench gave up without a reason"


def _event(line: LedgerLine) -> tuple[str, Mapping[str, Any]]:
    """A line as people watch it: a finished round without the clients, who had their own."""
    if line.kind == ROUND_FINISHED:
        outcome = RoundOutcome.model_validate(line.body)
        verdicts: dict[str, int] = {}
        for client in outcome.clients:
            verdicts[client.verdict.value] = verdicts.get(client.verdict.value, 0) + 1
        told = outcome.model_dump(mode="json", exclude={"clients"})
        return line.kind, told | {"clients": verdicts}
    plain = {k: v for k, v in line.body.items() if isinstance(v, str | int | float | bool | list)}
    return line.kind, dict(list(plain.items())[:_MOST_DETAIL])
