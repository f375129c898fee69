"""A coordinator's container → runs in every state, as their ledgers would tell, without a bench."""

from __future__ import annotations

import json
from typing import Any

from common.rounds import ClientOutcome, ClientVerdict, RoundOutcome, RunState
from coordinator.container import CoordinatorContainer
from coordinator.federation.store import RunStore
from coordinator.federation.views import RunWish

DIGEST = "c0ffee" + "0" * 58


class OpsRounds:
    """Runs over these boxes."""

    def __init__(self, container: CoordinatorContainer, devices: tuple[str, ...]) -> None:
        self.container = container
        self.devices = devices
        self.tenant = container.settings().tenant.id

    def launch(self, run: str, **more: Any) -> None:
        """Plan a run with all boxes."""
        samples = {device: 120 + 40 * place for place, device in enumerate(self.devices)}
        wish = RunWish(run=run, devices=self.devices, samples=samples, **{"rounds": 3, **more})
        self.container.training().launch(wish)

    def move(self, run: str, state: RunState, *, reason: str = "") -> None:
        """Take it on."""
        with self.container.database().session() as session:
            store = RunStore(session, self.tenant)
            row = store.run_to_change(run)
            store.move(row, state, reason=reason, now=self.container.clock().now())

    def finish_round(self, run: str, number: int, *, refused: str | None = None) -> None:
        """One round is done; the update of ``refused`` was not taken."""
        now = self.container.clock().now()
        clients = tuple(
            self._client(device, place, number, is_refused=device == refused)
            for place, device in enumerate(self.devices)
        )
        outcome = RoundOutcome(
            number=number,
            clients=clients,
            weights_sha256=DIGEST,
            took_s=94.0 + number,
            map50={"day": 0.712 + 0.004 * number, "night": 0.391 + 0.031 * number},
        )
        with self.container.database().session() as session:
            store = RunStore(session, self.tenant)
            row = store.run_to_change(run)
            store.tell(row, "round_started", {"round": number}, now=now)
            for client in clients:
                told = {"round": number, **client.model_dump(mode="json")}
                store.tell(row, "client", told, now=now)
            store.add_round(row, outcome, now=now)
            store.tell(row, "round_finished", {"number": number}, now=now)

    def candidate(self, run: str, *, reasons: tuple[str, ...] = ()) -> None:
        """The bench judged it; what it measured lies in the folder of the run."""
        folder = self.container.settings().federation_folder / "runs" / run / "candidate"
        folder.mkdir(exist_ok=True)
        score = {"map50": 0.48, "map50_95": 0.31, "boxes": 812}
        before = {"map50": 0.39, "map50_95": 0.25, "boxes": 812}
        sides = {
            name: {"scores": {"night": {"mean": one, "classes": {"car": one, "bicycle": one}}}}
            for name, one in (("candidate", score), ("against", before))
        }
        (folder / "metrics.json").write_text(json.dumps({"rounds": [], "judged": sides}))
        with self.container.database().session() as session:
            store = RunStore(session, self.tenant)
            row = store.run_to_change(run)
            row.verdict = list(reasons)
            row.candidate = "candidate/its-yolo11n-1.1.0+night.pt" if not reasons else None
            state = RunState.REJECTED if reasons else RunState.CANDIDATE
            store.move(row, state, now=self.container.clock().now())

    def everything(self) -> None:
        """A candidate, a rejected one, a failed one, and one under way."""
        self.launch("night-2026-05", note="More night pictures from Harbour Road")
        for number in (1, 2, 3):
            self.finish_round("night-2026-05", number, refused=self.devices[-1])
        self.candidate("night-2026-05")
        self.launch("rain-2026-05")
        self.finish_round("rain-2026-05", 1)
        self.candidate("rain-2026-05", reasons=("day: mAP50 fell from 71.2 to 66.0 points",))
        self.launch("broken-2026-05")
        self.move("broken-2026-05", RunState.FAILED, reason="the bench ended 6 times")
        self.launch("dusk-2026-05")
        self.move("dusk-2026-05", RunState.RUNNING)
        self.finish_round("dusk-2026-05", 1)

    def _client(self, device: str, place: int, number: int, *, is_refused: bool) -> ClientOutcome:
        if place == 1 and number == 2:
            return ClientOutcome(device=device, verdict=ClientVerdict.MISSING)
        samples = 120 + 40 * place
        return ClientOutcome(
            device=device,
            verdict=ClientVerdict.REFUSED if is_refused else ClientVerdict.ACCEPTED,
            reasons=("against_the_others",) if is_refused else (),
            weight=0.0 if is_refused else 0.5,
            samples=samples,
            claimed_samples=samples,
            norm=1.2 + 0.2 * place - 0.1 * number,
            cosine=-0.12 if is_refused else 0.21,
            sent_bytes=612_000 + 9000 * place,
            train_s=61.0 + 7 * place,
            loss=2.4 - 0.3 * number + 0.2 * place,
            map50=0.42 + 0.03 * number,
        )
