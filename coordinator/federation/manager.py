"""Wishes of people → federated runs that are planned, watched, stopped, resumed and verified.

The database holds every run and where it is; a bench does the work in the folder of the run.
The manager writes wishes, ``driving`` carries them out in ``coordinator serve``: a command
line beside it, or the API of another process, need nothing but the database and the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from common.errors import ConfigError, ConflictError
from common.rounds import RunPlan, RunState
from common.timing import Clock
from coordinator.config import FederationSettings
from coordinator.database import Database
from coordinator.federation.candidate_scores import CandidateScores, read_scores
from coordinator.federation.devices_store import Trainee, TraineeStore
from coordinator.federation.figures_store import FiguresStore, RoundFigures
from coordinator.federation.planning import choose_clients, make_plan, why_not
from coordinator.federation.run_folder import RunFolders
from coordinator.federation.states import AT_WORK
from coordinator.federation.store import RunStore
from coordinator.federation.verification import verify_run
from coordinator.federation.views import (
    RunDetailView,
    RunEventView,
    RunView,
    RunWish,
    Verification,
)
from coordinator.fleet.reading_store import reading
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value

log = structlog.get_logger(__name__)

STOPPED = "stopped by an operator"


class DistributedTrainingManager:
    """Federated runs of one tenant; safe to share between threads."""

    def __init__(
        self,
        database: Database,
        folders: RunFolders,
        *,
        settings: FederationSettings | None,
        tenant: str,
        clock: Clock,
    ) -> None:
        """Manage the runs below ``folders``; without ``settings`` nothing can be launched."""
        self._database = database
        self._folders = folders
        self._settings = settings
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def plan(self, wish: RunWish) -> RunPlan:
        """What would be launched; nothing is kept.

        Raises:
            ConfigError: Rounds are off, the parent cannot be read, or choices do not fit.
            TrustError: The parent is another file than its digest says.
            NotFoundError: A named box is not known.
            ConflictError: A box cannot take part, too few can, or the privacy budget is too
                small for so many rounds.
        """
        settings = self._settings
        if settings is None:
            raise ConfigError(
                "federated rounds are off, expected a federation section",
                hint="add federation: {} to the coordinator's configuration",
            )
        with reading(self._database) as session:
            trainees = TraineeStore(session, self._tenant).trainees()
            clients = choose_clients(wish, trainees, least_samples=settings.least_samples)
            figures = FiguresStore(session, self._tenant)
            times_s: Mapping[str, Sequence[float]] = {
                client.device: figures.times_s(client.device) for client in clients
            }
        return make_plan(wish, clients, times_s, settings=settings, now=self._clock.now())

    def trainees(self) -> Sequence[tuple[Trainee, str]]:
        """Every box, each with why it cannot take part in a run; empty when it can."""
        least = self._settings.least_samples if self._settings else 0
        with reading(self._database) as session:
            found = TraineeStore(session, self._tenant).trainees()
        return [(one, why_not(one, one.samples, least)) for one in found]

    def launch(self, wish: RunWish) -> RunView:
        """Plan a run; the coordinator that serves begins it within seconds.

        Raises:
            ItsError: As ``plan``; ConflictError also when there is a run of that name.
        """
        plan = self.plan(wish)
        with self._database.session() as session:
            row = RunStore(session, self._tenant).add(plan, now=plan.created_at)
            told: dict[str, Value] = {
                "clients": len(plan.clients),
                "rounds": plan.rounds,
                "strategy": str(plan.strategy),
                "parent_sha256": plan.parent.sha256,
            }
            self._audit.record(session, Action.ROUNDS_LAUNCHED, subject=plan.run, detail=told)
            # Inside the transaction: a run without a folder could never begin.
            self._folders.create(plan)
            view = RunView.of(row)
        log.info("run_planned", run=plan.run, clients=len(plan.clients), rounds=plan.rounds)
        return view

    def list(self) -> list[RunView]:
        """Every run, the newest first."""
        with reading(self._database) as session:
            rows = RunStore(session, self._tenant).runs()
            return [RunView.of(row) for row in reversed(rows)]

    def show(self, run: str) -> RunDetailView:
        """A run with its plan and every finished round.

        Raises:
            NotFoundError: No such run.
        """
        with reading(self._database) as session:
            store = RunStore(session, self._tenant)
            row = store.run(run)
            return RunDetailView(
                **RunView.of(row).model_dump(),
                plan=RunPlan.model_validate(row.plan),
                finished=store.rounds(run),
            )

    def events(self, run: str, *, after: int = 0) -> Sequence[RunEventView]:
        """What happened in a run after event ``after``.

        Raises:
            NotFoundError: No such run.
        """
        with reading(self._database) as session:
            store = RunStore(session, self._tenant)
            store.run(run)
            return [RunEventView.of(row) for row in store.events(run, after=after)]

    def stop(self, run: str) -> RunView:
        """End a run; what its rounds yielded stays, and ``resume`` goes on from there.

        Raises:
            NotFoundError: No such run.
            ConflictError: It has ended already.
        """
        with self._database.session() as session:
            store = RunStore(session, self._tenant)
            row = store.run_to_change(run)
            state = RunState(row.state)
            if state is RunState.PLANNED:
                store.move(row, RunState.FAILED, reason=STOPPED, now=self._clock.now())
            elif state in AT_WORK:
                row.is_to_stop = True
                session.add(row)
            else:
                raise ConflictError(f"run {run!r} is {state}, expected one that has not ended")
            view = RunView.of(row)
            told = {"round": row.round}
            self._audit.record(session, Action.ROUNDS_STOPPED, subject=run, detail=told)
        log.info("run_stop_asked", run=run)
        return view

    def resume(self, run: str) -> RunView:
        """Plan a run again that failed or was stopped: it goes on at its last finished round.

        Raises:
            NotFoundError: No such run.
            ConflictError: It did not fail.
        """
        with self._database.session() as session:
            store = RunStore(session, self._tenant)
            row = store.run_to_change(run)
            if row.state != RunState.FAILED:
                raise ConflictError(f"run {run!r} is {row.state}, expected one that failed")
            store.move(row, RunState.PLANNED, now=self._clock.now())
            row.is_to_stop, row.starts, row.handle = False, 0, None
            view = RunView.of(row)
            told = {"round": row.round}
            self._audit.record(session, Action.ROUNDS_RESUMED, subject=run, detail=told)
        log.info("run_resume_asked", run=run, round=row.round)
        return view

    def verify(self, run: str) -> Verification:
        """Compare ledger, weights and candidate with each other and with the database.

        Raises:
            NotFoundError: No such run.
        """
        with reading(self._database) as session:
            store = RunStore(session, self._tenant)
            row, rounds = store.run(run), store.rounds(run)
        return verify_run(row, rounds, self._folders.of(run))

    def candidate_scores(self, run: str) -> CandidateScores | None:
        """What was measured of the candidate of a run, None where nothing was.

        Raises:
            NotFoundError: No such run.
        """
        with reading(self._database) as session:
            RunStore(session, self._tenant).run(run)
        return read_scores(self._folders.of(run))

    @property
    def is_on(self) -> bool:
        """True when runs can be launched here."""
        return self._settings is not None

    def is_busy(self) -> bool:
        """True while a bench works on any run.

        Raises:
            UnreachableError: The database is away.
        """
        with reading(self._database) as session:
            return bool(RunStore(session, self._tenant).runs(AT_WORK))

    def figures(self) -> RoundFigures:
        """Sums over every run.

        Raises:
            UnreachableError: The database is away.
        """
        with reading(self._database) as session:
            return FiguresStore(session, self._tenant).figures()
