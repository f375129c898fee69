"""A federated run as somebody planned it → one closed model that both ends and the disk share.

The coordinator writes ``plan.json`` into the folder of a run, the bench reads it and works
there. Everything that changes what comes out stands in the plan, so that a run that was cut
off goes on as if it had not been.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from common.ids import Slug
from common.wire import Digest, Message, Version

PLAN_FILE = "plan.json"
LEDGER_FILE = "ledger.jsonl"
STATUS_FILE = "status.json"
GLOBAL_FOLDER = "global"
"""``round-000.f32`` (the parent) to ``round-NNN.f32``: little-endian float32, by atomic rename."""
CANDIDATE_FOLDER = "candidate"

Words = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Rate = Annotated[float, Field(gt=0, le=1)]


class Strategy(StrEnum):
    """How accepted updates become one."""

    FEDAVG = "fedavg"
    FEDPROX = "fedprox"
    FEDADAM = "fedadam"
    FEDYOGI = "fedyogi"
    FEDMEDIAN = "fedmedian"
    TRIMMED_MEAN = "trimmed_mean"
    KRUM = "krum"
    MULTI_KRUM = "multi_krum"
    BULYAN = "bulyan"


def fewest_updates(strategy: Strategy, byzantine: int) -> int:
    """How many updates a strategy needs so that its promise holds against so many liars.

    Krum: n >= 2f + 3 (Blanchard et al. 2017). Bulyan: n >= 4f + 3 (El Mhamdi et al. 2018).
    Trimmed mean: n > 2f (Yin et al. 2018).
    """
    return {
        Strategy.TRIMMED_MEAN: 2 * byzantine + 1,
        Strategy.KRUM: 2 * byzantine + 3,
        Strategy.MULTI_KRUM: 2 * byzantine + 3,
        Strategy.BULYAN: 4 * byzantine + 3,
    }.get(strategy, 1)


class BatchNorm(StrEnum):
    """Whose statistics and scales of BatchNorm a device trains and counts with."""

    SHARED = "shared"
    LOCAL = "local"
    """FedBN (Li et al. 2021): they stay on the device's disk."""


class Packing(StrEnum):
    """How an update travels."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    """Quantised steps of a delta, entropy coded, the rest fed back into the next round."""


class Anchoring(StrEnum):
    """What keeps a round from forgetting; see docs/ml-engineer.md."""

    NONE = "none"
    REPLAY = "replay"
    """A few steps on the server's labelled set after each aggregation."""
    DISTIL = "distil"
    """The same against the parent's outputs."""
    AVERAGE = "average"
    """A point between parent and aggregate (Wortsman et al. 2022)."""


class RunState(StrEnum):
    """Where a run is; the arrows are in ``coordinator/federation``."""

    PLANNED = "planned"
    RUNNING = "running"
    SCREENED = "screened"
    EVALUATED = "evaluated"
    CANDIDATE = "candidate"
    REJECTED = "rejected"
    FAILED = "failed"


class ClientVerdict(StrEnum):
    """What became of one client's update."""

    ACCEPTED = "accepted"
    CAPPED = "capped"
    """Taken with less weight, or a shorter step, than it asked for."""
    REFUSED = "refused"
    MISSING = "missing"


class ParentModel(Message):
    """What everybody starts from.

    Attributes:
        file: Checkpoint beside the plan or absolute; its SHA-256 must be ``sha256``.
    """

    name: Slug
    version: Version
    sha256: Digest
    file: Path


class PlannedClient(Message):
    """A device that is asked to take part.

    Attributes:
        samples: Labelled and pseudo-labelled images that the coordinator knows of from the
            device's health; its claim in a round never weighs more.
    """

    device: Slug
    samples: Annotated[int, Field(ge=0, le=10_000_000)]


class LocalTraining(Message):
    """What a device does in one round."""

    epochs: Annotated[int, Field(ge=1, le=50)] = 1
    learning_rate: Rate = 5e-5
    batch: Annotated[int, Field(ge=1, le=64)] = 8
    image_px: Annotated[int, Field(ge=64, le=1280, multiple_of=32)] = 416
    frozen_layers: Annotated[int, Field(ge=0, le=22)] = 10
    most_samples: Annotated[int, Field(ge=1, le=100_000)] = 400
    proximal: Annotated[float, Field(ge=0, le=10)] = 0.0
    """mu of FedProx (Li et al. 2020)."""


class AnchorSettings(Message):
    """The server's own labelled images, and what is done with them after each aggregation.

    Attributes:
        data: Folder above labelled sets; None leaves only ``none`` and ``average``.
        steps: Optimiser steps a round.
        keep: Share of the parent in the result of ``average``.
    """

    kind: Anchoring = Anchoring.NONE
    data: Path | None = None
    steps: Annotated[int, Field(ge=0, le=10_000)] = 8
    learning_rate: Rate = 3e-5
    keep: Annotated[float, Field(ge=0, le=1)] = 0.25


class ScreeningSettings(Message):
    """Bounds on an update; how each was chosen stands in docs/ml-engineer.md.

    Attributes:
        norm_factor: A delta longer than so many times the median length is shortened to it.
        refuse_factor: Beyond so many times it is refused.
        most_share: No client weighs more than this share of a round.
        least_cosine: Below this against the median direction of the others it is refused. The
            cosine is that of sketches of 8009 values: of directions that have nothing in common
            it has mean 0 and standard deviation 1/sqrt(8009) = 0.011, so -0.05 is 4.5 of them,
            three in a million by chance. Honest clients were measured at 0.06 to 0.35 against
            nine others, sign-flipped ones at -0.06 to -0.25.
        pictures: Of the anchor's data, on which each update is asked for classes; 0 asks none.
        most_confused: Nats by which its cross entropy of the classes may rise above that of the
            round's median; ln 2 means that the right class became half as likely. Measured
            by ``ml benchmark attacks``: honest clients at most 0.12, swapped labels 1.5 and more.
    """

    is_on: bool = True
    norm_factor: Annotated[float, Field(gt=0, le=1000)] = 2.0
    refuse_factor: Annotated[float, Field(gt=0, le=1e6)] = 10.0
    most_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    least_cosine: Annotated[float, Field(ge=-1, le=1)] = -0.05
    pictures: Annotated[int, Field(ge=0, le=1000)] = 48
    most_confused: Annotated[float, Field(gt=0, le=100)] = 0.7


class UpdatePrivacy(Message):
    """Differential privacy of a run (central Gaussian noise, client level)."""

    clip_norm: Annotated[float, Field(gt=0, le=1e6)]
    noise_multiplier: Annotated[float, Field(gt=0, le=1e4)]
    most_epsilon: Annotated[float, Field(gt=0, le=1000)]
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5


class RunPlan(Message):
    """Everything that decides what a run yields."""

    version: Literal[1] = 1
    run: Slug
    created_at: AwareDatetime
    parent: ParentModel
    clients: Annotated[tuple[PlannedClient, ...], Field(min_length=1, max_length=10_000)]
    rounds: Annotated[int, Field(ge=1, le=1000)] = 2
    quorum: Annotated[int, Field(ge=1, le=10_000)] = 2
    deadline_s: Annotated[float, Field(gt=0, le=7 * 86_400)] = 900.0
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    strategy: Strategy = Strategy.FEDAVG
    server_rate: Annotated[float, Field(gt=0, le=10)] = 1.0
    most_byzantine: Annotated[int, Field(ge=0, le=1000)] = 1
    """f of Krum and Bulyan; so many at each end are left out by the trimmed mean. As many boxes
    must be asked as the strategy needs against so many (``fewest_updates``); each that screening
    refuses is one less to be afraid of, so the quorum may be lower."""
    packing: Packing = Packing.INT8
    batch_norm: BatchNorm = BatchNorm.SHARED
    local: LocalTraining = LocalTraining()
    anchor: AnchorSettings = AnchorSettings()
    screening: ScreeningSettings = ScreeningSettings()
    privacy: UpdatePrivacy | None = None
    is_secure_sum: bool = False
    """SecAgg+: nobody sees a single update, so nothing of one can be screened."""
    evaluation: Path | None = None
    """Folder above labelled sets that every round is scored on."""
    note: Annotated[str, StringConstraints(max_length=500)] = ""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.quorum > len(self.clients):
            raise ValueError(f"quorum {self.quorum} of {len(self.clients)} clients")
        names = [client.device for client in self.clients]
        if len(set(names)) != len(names):
            raise ValueError("a device is named twice")
        needs_data = self.anchor.kind in (Anchoring.REPLAY, Anchoring.DISTIL)
        if needs_data and self.anchor.data is None:
            raise ValueError(f"anchor {self.anchor.kind} without data, expected a folder")
        self._check_strategy()
        return self

    def _check_strategy(self) -> None:
        fewest = fewest_updates(self.strategy, self.most_byzantine)
        against = f"{self.strategy} against {self.most_byzantine} liars"
        if len(self.clients) < fewest:
            raise ValueError(
                f"{against} with {len(self.clients)} boxes, expected at least {fewest}"
            )


class ClientOutcome(Message):
    """One client in one round, as the ledger keeps it.

    Attributes:
        weight: Share of the round, 0 when it was not taken.
        norm: Length of its delta as it arrived, None when there was none to measure.
        reasons: Codes such as ``not_finite``, ``too_long``, ``against_the_others``.
        class_rise: Nats by which it mixes up the server's road users more than the base did,
            None when it was not asked.
    """

    device: Slug
    verdict: ClientVerdict
    reasons: tuple[str, ...] = ()
    weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    samples: Annotated[int, Field(ge=0)] = 0
    claimed_samples: Annotated[int, Field(ge=0)] = 0
    norm: float | None = None
    cosine: float | None = None
    class_rise: float | None = None
    sent_bytes: Annotated[int, Field(ge=0)] = 0
    train_s: Annotated[float, Field(ge=0)] = 0.0
    loss: float | None = None
    map50: float | None = None


class RoundOutcome(Message):
    """One finished round, as the ledger and ``status.json`` keep it."""

    number: Annotated[int, Field(ge=1)]
    clients: tuple[ClientOutcome, ...]
    weights_sha256: Digest
    took_s: Annotated[float, Field(ge=0)]
    map50: dict[str, float] = Field(default_factory=dict)
    """Set name → mAP50 of the global model after the round."""
    epsilon: float | None = None


class RunStatus(Message):
    """How far the bench is; rewritten by atomic rename whenever something happens."""

    run: Slug
    state: RunState
    round: Annotated[int, Field(ge=0)] = 0
    """The last finished one."""
    reason: Annotated[str, StringConstraints(max_length=2000)] = ""
    verdict: tuple[Words, ...] = ()
    candidate: Path | None = None
    updated_at: AwareDatetime
