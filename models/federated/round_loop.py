"""The folder of a run and somebody who reaches devices → round after round, to a verdict.

The loop may be killed at any instruction. A round counts when its line stands in the ledger; the
next process begins after the last one that counts, asks the devices again, gets the same answers
to the same orders, and so ends where an undisturbed run ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from common.errors import ItsError
from common.round_ledger import RoundLedger
from common.rounds import LEDGER_FILE, RoundOutcome, RunState, RunStatus
from common.timing import Clock, SystemClock
from models.federated.aggregation import aggregate
from models.federated.collecting import Exchange
from models.federated.orders import GlobalWeights, outgoing
from models.federated.parameters import F32
from models.federated.round_files import (
    ROUND_FINISHED,
    GlobalFiles,
    Reached,
    ledger_lines,
    read_plan,
    write_status,
)
from models.federated.round_gathering import Asking, Gathered, gather, gather_secure
from models.federated.round_orders import check_quorum
from models.federated.secure_round import SecureExchange, check_secure
from models.federated.server_optimiser import ServerState
from models.federated.spool import UpdateSpool
from models.federated.trainers import Bench, RunEnd
from models.federated.update_noise import NoiseKey, noise_secret
from models.federated.update_privacy import Budget, check_privacy

SPOOL_FOLDER = "spool"

log = structlog.get_logger(__name__)


class RoundLoop:
    """One process' work on one run."""

    def __init__(
        self,
        exchange: Exchange,
        folder: Path,
        bench: Bench,
        *,
        secure: SecureExchange | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Read the plan; nothing is written yet.

        Args:
            exchange: Reaches the devices.
            folder: Of the run.
            bench: The server's side.
            secure: Reaches them without seeing single updates, where the plan wants that.
            clock: For times in status and ledger.

        Raises:
            ConfigError: No plan, or one whose wishes for privacy cannot be met.
            TrustError: The parent is another file than planned.
        """
        self._exchange = exchange
        self._folder = folder
        self._bench = bench
        self._clock = clock or SystemClock()
        self._plan = read_plan(folder)
        check_privacy(self._plan)
        check_secure(self._plan, has_secure=secure is not None)
        self._secure = secure
        self._files = GlobalFiles(folder, size=bench.layout.size)
        self._done = 0

    def run(self) -> RunStatus:
        """Work until there is a verdict.

        Raises:
            ConflictError: Another process works on the run, or a round is below its quorum.
            ItsError: The run cannot go on; status and ledger say why.
        """
        with RoundLedger(self._folder / LEDGER_FILE, clock=self._clock) as ledger:
            try:
                return self._worked(ledger)
            except ItsError as error:
                ledger.append("failed", {"after_round": self._done, "reason": str(error)[:2000]})
                self._tell(RunState.FAILED, reason=str(error))
                raise

    def _worked(self, ledger: RoundLedger) -> RunStatus:
        if (ended := self._ended()) is not None:
            return ended
        reached, vector = self._begin(ledger)
        state = reached.state
        rounds = list(reached.outcomes)
        while self._done < self._plan.rounds:
            self._tell(RunState.RUNNING)
            vector, state, outcome = self._round(ledger, vector, state, rounds)
            rounds.append(outcome)
            self._done = outcome.number
        self._tell(RunState.SCREENED)
        return self._conclude(ledger, vector, tuple(rounds))

    def _ended(self) -> RunStatus | None:
        """What a run said that has its verdict; asked again, it says the same."""
        lines = ledger_lines(self._folder)
        if not lines or lines[-1].kind not in (RunState.CANDIDATE, RunState.REJECTED):
            return None
        self._done = self._plan.rounds
        file = lines[-1].body["candidate"]
        return self._tell(
            RunState(lines[-1].kind),
            verdict=tuple(lines[-1].body["reasons"]),
            candidate=Path(file) if file else None,
        )

    def _begin(self, ledger: RoundLedger) -> tuple[Reached, F32]:
        """Where the run goes on; the first line of a new one."""
        plan = self._plan
        reached = self._files.reached()
        self._done = reached.number
        if reached.vector is None:
            vector = self._bench.parent()
            sha256 = self._files.write(0, vector, ServerState(), epsilon=None)
        else:
            vector = reached.vector
            sha256 = reached.outcomes[-1].weights_sha256
        if ledger.lines:
            ledger.append("run_resumed", {"after_round": reached.number, "weights_sha256": sha256})
        else:
            ledger.append(
                "run_started",
                {
                    "plan": plan.model_dump(mode="json"),
                    "parent_sha256": plan.parent.sha256,
                    "weights_sha256": sha256,
                },
            )
        log.info("run_begun", run=plan.run, after_round=reached.number)
        return reached, vector

    def _round(
        self,
        ledger: RoundLedger,
        base: F32,
        state: ServerState,
        before: Sequence[RoundOutcome],
    ) -> tuple[F32, ServerState, RoundOutcome]:
        plan, number = self._plan, self._done + 1
        began_s = self._clock.monotonic_s()
        sent = outgoing(base)
        ledger.append("round_started", {"round": number, "base_sha256": sent.sha256})
        spool = self._empty_spool(number)
        gathered = self._gather(number, sent, before, spool)
        clients = gathered.clients
        for client in clients:
            ledger.append("client", {"round": number, **client.model_dump(mode="json")})
        check_quorum(plan, number, clients)
        epsilon = self._spend(number)
        state = self._with_noise(state, number, gathered.digest)
        done = aggregate(base, gathered.judged, gathered.updates, plan=plan, state=state)
        vector = self._bench.anchored(done.vector, number)
        sha256 = self._files.write(number, vector, done.state, epsilon=epsilon)
        outcome = RoundOutcome(
            number=number,
            clients=clients,
            weights_sha256=sha256,
            took_s=self._clock.monotonic_s() - began_s,
            map50=self._bench.scores(vector),
            epsilon=epsilon,
        )
        ledger.append(ROUND_FINISHED, outcome)
        spool.clear()
        log.info("round_finished", run=plan.run, round=number, took_s=outcome.took_s)
        return vector, done.state, outcome

    def _gather(
        self,
        number: int,
        sent: GlobalWeights,
        before: Sequence[RoundOutcome],
        spool: UpdateSpool,
    ) -> Gathered:
        asking = Asking(
            plan=self._plan, number=number, sent=sent, layout=self._bench.layout, before=before
        )
        if self._plan.is_secure_sum and self._secure is not None:
            return gather_secure(asking, self._secure)
        return gather(asking, self._exchange, spool, self._bench)

    def _spend(self, number: int) -> float | None:
        """What all rounds up to this one cost; refuses before anything of it is published."""
        if self._plan.privacy is None:
            return None
        return Budget(self._plan.privacy, number - 1).spend().epsilon

    def _with_noise(self, state: ServerState, number: int, digest: str) -> ServerState:
        if self._plan.privacy is None:
            return state
        key = NoiseKey(
            secret=noise_secret(self._folder),
            run=self._plan.run,
            number=number,
            arrived_digest=digest,
        )
        return replace(state, noise=key)

    def _conclude(
        self, ledger: RoundLedger, vector: F32, rounds: tuple[RoundOutcome, ...]
    ) -> RunStatus:
        end = self._bench.conclude(vector, RunEnd(rounds, ledger.head))
        ledger.append("evaluated", {"map50": rounds[-1].map50, "passed": end.passed, **end.facts})
        self._tell(RunState.EVALUATED)
        state = RunState.CANDIDATE if end.passed else RunState.REJECTED
        file = str(end.candidate) if end.candidate else None
        ledger.append(state.value, {"candidate": file, "reasons": list(end.reasons)})
        return self._tell(state, verdict=end.reasons, candidate=end.candidate)

    def _empty_spool(self, number: int) -> UpdateSpool:
        folder = self._folder / SPOOL_FOLDER / f"round-{number:03d}"
        spool = UpdateSpool(folder, self._bench.layout)
        # What a killed process left was never judged; devices send it again.
        spool.clear()
        return UpdateSpool(folder, self._bench.layout)

    def _tell(
        self,
        state: RunState,
        *,
        reason: str = "",
        verdict: tuple[str, ...] = (),
        candidate: Path | None = None,
    ) -> RunStatus:
        status = RunStatus(
            run=self._plan.run,
            state=state,
            round=self._done,
            reason=reason[:2000],
            verdict=tuple(each[:500] for each in verdict),
            candidate=candidate,
            updated_at=self._clock.now(),
        )
        write_status(self._folder, status)
        return status


def run_rounds(
    exchange: Exchange,
    folder: Path,
    *,
    bench: Bench,
    secure: SecureExchange | None = None,
    clock: Clock | None = None,
) -> RunStatus:
    """Work on a run until there is a verdict; see ``RoundLoop``.

    Raises:
        ItsError: The run cannot go on; status and ledger say why.
    """
    return RoundLoop(exchange, folder, bench, secure=secure, clock=clock).run()
