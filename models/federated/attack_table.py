"""Ten clients of which some are bad → mAP50 per strategy, with and without screening.

One row costs one screening, one aggregation and one scoring; the updates are there already.
Rows that end with the same weights (a refused client leaves nothing behind, whatever it sent)
are scored once. Every score is kept on disk the moment it is known, so that a run that was cut
off goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from common.errors import ConflictError, TrustError
from common.rounds import (
    ParentModel,
    PlannedClient,
    RunPlan,
    ScreeningSettings,
    Strategy,
    fewest_updates,
)
from models.federated.aggregation import aggregate
from models.federated.attack_problem import AttackProblem, weighted_mean
from models.federated.attack_report import Row, line, rises_of
from models.federated.attack_scores import NOT_FINITE, KeptScores, asked_once
from models.federated.attacks import Attack, Material, Reply, reply_of
from models.federated.parameters import F32
from models.federated.round_scores import score_vector
from models.federated.screening import screen
from models.federated.server_optimiser import ServerState, is_adaptive, step
from models.federated.spool import UpdatesInMemory
from models.federated.verdicts import Arrived, ClassRise, Judged, RoundFacts

STRATEGIES = (
    Strategy.FEDAVG,
    Strategy.FEDADAM,
    Strategy.FEDYOGI,
    Strategy.FEDMEDIAN,
    Strategy.TRIMMED_MEAN,
    Strategy.KRUM,
    Strategy.MULTI_KRUM,
    Strategy.BULYAN,
)
"""FedProx is left out: it differs on the devices and sums as FedAvg does."""
MOST_ATTACKERS = 3
LIARS_PLANNED = 2
ADAPTIVE_RATE = 10.0
"""Of FedAdam and FedYogi: after one round of memory they then step about as far as FedAvg."""
_BULYAN_LIARS = 1  # ten updates promise no more: n >= 4f + 3
_SET = "scored"
_NO_RESULT = "no result: "
Report = Callable[[str], None]
Scorer = Callable[[F32], tuple[float, float]]
"""Weights → mAP50 over the classes, and of cars alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """Updates of ten clients, judged; equal fingerprints give equal weights."""

    judged: tuple[Judged, ...]
    deltas: Mapping[str, F32]
    fingerprint: str


class AttackTable:
    """Rows of one problem, worked out one after another."""

    def __init__(
        self,
        problem: AttackProblem,
        memory: Path,
        *,
        score: Scorer | None = None,
        class_rise: ClassRise | None = None,
    ) -> None:
        """Nothing is worked out yet.

        Args:
            problem: Clients and their updates.
            memory: Folder for scores.
            score: Scores weights; the held-out images of the problem unless given.
            class_rise: Asks updates about the server's pictures, where it has some.
        """
        self._problem = problem
        self._score = score or (lambda vector: score_held_out(problem, vector))
        self._kept = KeptScores(memory / f"scores-{problem.key}.json")
        self._state = _state_after_round_1(problem)
        self._last: tuple[tuple[Attack, int, bool], _Round] | None = None
        self._class_rise = asked_once(class_rise) if class_rise else None

    def rows(
        self,
        *,
        strategies: Sequence[Strategy] = STRATEGIES,
        attacks: Sequence[Attack] = tuple(Attack),
        most_attackers: int = MOST_ATTACKERS,
        report: Report = lambda _: None,
    ) -> Iterator[Row]:
        """Every row; those that the promise is about first."""
        clean: dict[Strategy, float | None] = {}
        for case in _cases(attacks, most_attackers):
            for strategy in strategies:
                row = self.row(strategy, *case)
                before = clean.setdefault(strategy, row.map50)
                if before is not None and row.map50 is not None:
                    row = replace(row, lost=before - row.map50)
                report(line(row))
                yield row

    def row(self, strategy: Strategy, attack: Attack, attackers: int, is_screened: bool) -> Row:
        """One row, without what it lost."""
        bad = self._problem.attackers[:attackers]
        arrived = self._round(attack, attackers, is_screened)
        theirs = [one for one in arrived.judged if one.client in bad]
        others = [one for one in arrived.judged if one.client not in bad]
        row = Row(
            strategy=strategy,
            attack=attack,
            attackers=attackers,
            is_screened=is_screened,
            map50=None,
            car_map50=None,
            lost=None,
            caught=sum(not one.is_taken for one in theirs),
            wronged=sum(not one.is_taken for one in others),
            bad_rise=min(rises_of(theirs), default=None),
            honest_rise=max(rises_of(others), default=None),
        )
        key = f"{strategy} {arrived.fingerprint}"
        found = self._kept.of_round(key)
        if found is None:
            found = self._outcome(strategy, arrived, is_screened)
            self._kept.keep_round(key, found)
        if found.startswith(_NO_RESULT):
            return replace(row, note=found.removeprefix(_NO_RESULT))
        map50, car = self._kept.of_weights(found)
        return replace(row, map50=map50, car_map50=car)

    def _outcome(self, strategy: Strategy, arrived: _Round, is_screened: bool) -> str:
        """Digest of weights that have a score, or why there are none."""
        try:
            with np.errstate(all="ignore"):
                vector = aggregate(
                    self._problem.base,
                    arrived.judged,
                    UpdatesInMemory(self._problem.layout, arrived.deltas),
                    plan=self._plan(strategy, is_screened=is_screened),
                    state=self._state_for(strategy),
                ).vector
        except (ConflictError, TrustError) as error:
            return _NO_RESULT + str(error)
        if not np.isfinite(vector).all():
            return NOT_FINITE
        digest = _digest(vector)
        if not self._kept.has_weights(digest):
            self._kept.keep_weights(digest, self._score(vector))
        return digest

    def _round(self, attack: Attack, attackers: int, is_screened: bool) -> _Round:
        """What arrives and what screening says of it; the same for every strategy."""
        case = (attack, attackers, is_screened)
        if self._last is None or self._last[0] != case:
            replies = self._replies(attack, self._problem.attackers[:attackers])
            digests = {client: _digest(reply.delta) for client, reply in replies.items()}
            judged = self._judged(replies, digests, is_screened=is_screened)
            told = [
                f"{one.client} {one.weight!r} {one.scale!r} {digests[one.client]}"
                if one.is_taken
                else "refused"
                for one in judged
            ]
            made = _Round(
                judged=judged,
                deltas={client: reply.delta for client, reply in replies.items()},
                fingerprint=hashlib.sha256("\n".join(told).encode()).hexdigest(),
            )
            self._last = (case, made)
        return self._last[1]

    def _replies(self, attack: Attack, bad: Sequence[str]) -> dict[str, Reply]:
        problem = self._problem
        return {
            client: reply_of(
                Material(
                    honest=problem.deltas[client],
                    flipped=problem.flipped.get(client),
                    stale=problem.stale[client],
                    samples=problem.samples[client],
                ),
                attack if client in bad else Attack.NONE,
                seed=number,
            )
            for number, client in enumerate(sorted(problem.deltas))
        }

    def _judged(
        self, replies: Mapping[str, Reply], digests: Mapping[str, str], *, is_screened: bool
    ) -> tuple[Judged, ...]:
        problem = self._problem
        bases = [_digest(problem.base), _digest(problem.start)]
        updates = UpdatesInMemory(problem.layout, {c: one.delta for c, one in replies.items()})
        arrived = [
            Arrived(
                client=client,
                vector_of=partial(updates.vector, client),
                claimed_samples=reply.claimed_samples,
                base_digest=bases[reply.rounds_late],
                base_round=1 - reply.rounds_late,
                data_digest=digests[client],
            )
            for client, reply in replies.items()
        ]
        norms = [float(np.linalg.norm(delta)) for delta in problem.stale.values()]
        facts = RoundFacts(
            layout=problem.layout,
            base_round=1,
            base_digest=bases[0],
            base_norm=float(np.linalg.norm(problem.base)),
            known_samples=problem.samples,
            usual_norm=float(np.median(norms)),
        )
        return screen(
            arrived,
            facts=facts,
            settings=ScreeningSettings(is_on=is_screened),
            class_rise=self._class_rise,
        )

    def _plan(self, strategy: Strategy, *, is_screened: bool) -> RunPlan:
        clients = sorted(self._problem.samples.items())
        liars = _BULYAN_LIARS if strategy is Strategy.BULYAN else LIARS_PLANNED
        return RunPlan(
            run="attack-table",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            parent=ParentModel(
                name="start", version="0", sha256=_digest(self._problem.start), file=Path("none")
            ),
            clients=tuple(PlannedClient(device=name, samples=count) for name, count in clients),
            strategy=strategy,
            server_rate=ADAPTIVE_RATE if is_adaptive(strategy) else 1.0,
            quorum=max(2, fewest_updates(strategy, liars)),
            most_byzantine=liars,
            local=self._problem.settings.local,
            screening=ScreeningSettings(is_on=is_screened),
        )

    def _state_for(self, strategy: Strategy) -> ServerState:
        if not is_adaptive(strategy):
            return ServerState(steps=1)
        kept = self._state[strategy]
        # the step takes the arrays over and writes into them
        return replace(kept, momentum=_copy(kept.momentum), second=_copy(kept.second))


def score_held_out(problem: AttackProblem, vector: F32) -> tuple[float, float]:
    """mAP50 on the held-out images of a problem: over the classes, and of cars alone."""
    scores = score_vector(
        problem.parent,
        vector,
        problem.layout,
        {_SET: problem.scored},
        image_px=problem.settings.image_px,
    )[_SET]
    car = scores.classes.get("car", scores.mean)
    return scores.mean.map50, car.map50


def _cases(attacks: Sequence[Attack], most: int) -> Iterator[tuple[Attack, int, bool]]:
    """Nobody bad, unscreened, comes first: it is what losses are measured against."""
    yield from ((Attack.NONE, 0, is_screened) for is_screened in (False, True))
    bad = [attack for attack in attacks if attack is not Attack.NONE]
    for number in (n for n in (2, 1, 3) if n <= most):
        for is_screened in (True, False):
            yield from ((attack, number, is_screened) for attack in bad)


def _state_after_round_1(problem: AttackProblem) -> dict[Strategy, ServerState]:
    mean = weighted_mean(problem.stale, problem.samples)
    return {
        strategy: step(
            problem.start, mean.copy(), strategy=strategy, rate=ADAPTIVE_RATE, state=ServerState()
        )[1]
        for strategy in (Strategy.FEDADAM, Strategy.FEDYOGI)
    }


def _copy(values: F32 | None) -> F32 | None:
    return None if values is None else values.copy()


def _digest(values: F32) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()
