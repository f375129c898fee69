"""One order on one box → an answer and a packed update, or a clear refusal.

Nothing of it knows Flower, so tests, simulation and the laboratory run the same code. The order
is checked before anything is loaded: a device trains only itself, only a network it has
installed, only from the weights the order names, and only when the box says it is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from common.at_rest import AtRestKey
from common.errors import ItsError, NotFoundError, TrustError
from common.readiness_file import read_readiness
from common.rounds import LocalTraining
from common.sample_files import LEARN_KEY_FILE, SAMPLES_FOLDER, SampleVault
from common.samples import LABELLED, Sample
from common.timing import Clock, SystemClock
from models.federated.client_state import ClientState, RoundRest
from models.federated.codec import pack
from models.federated.local_training import LocalResult, LocalTask, seed_of
from models.federated.orders import Refusal, TrainingAnswer, TrainingOrder, incoming
from models.federated.trainers import Trainer

F32 = NDArray[np.float32]
Samples = Callable[[LocalTraining, int], Sequence[Sample]]
"""Settings and seed → labelled pictures, at most ``most_samples``."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The device that works.

    Attributes:
        device: Its own name; orders for others are refused.
        learn_folder: Samples, state and readiness.
        trainer_for: Finds what is installed by the name of the parent.
        samples: Where pictures come from; the vault of the learn folder unless given.
    """

    device: str
    learn_folder: Path
    trainer_for: Callable[[str], Trainer]
    samples: Samples | None = None
    clock: Clock = field(default_factory=SystemClock)


def work(order: TrainingOrder, weights: bytes, box: Box) -> tuple[TrainingAnswer, bytes]:
    """Do what the order asks, once: the same order again gets the same bytes.

    Args:
        order: Checked for form only.
        weights: The global weights as they arrived.
        box: Who works.

    Returns:
        The answer, and the packed update, empty with a refusal.
    """
    try:
        return _answered(order, weights, box)
    except _RefusedError as refused:
        refusal, reasons = refused.refusal, refused.reasons
    except ItsError as error:
        refusal, reasons = _REFUSALS.get(type(error), Refusal.TRAINING_FAILED), ()
        log.warning("round_failed", run=order.run, round=order.number, error=str(error))
    log.info("round_refused", run=order.run, round=order.number, refusal=refusal, reasons=reasons)
    answer = TrainingAnswer(
        run=order.run,
        number=order.number,
        device=order.device,
        base_sha256=order.base_sha256,
        refusal=refusal,
        reasons=reasons[:8],
    )
    return answer, b""


def vault_samples(learn_folder: Path) -> Samples:
    """Labelled pictures out of the box's encrypted folder, drawn by the round's seed."""

    def draw(local: LocalTraining, seed: int) -> Sequence[Sample]:
        key = AtRestKey.load_or_create(learn_folder / LEARN_KEY_FILE)
        vault = SampleVault(learn_folder / SAMPLES_FOLDER, key)
        names = [facts.id for facts in vault.facts() if facts.source in LABELLED]
        if len(names) > local.most_samples:
            order = np.random.default_rng(seed).permutation(len(names))[: local.most_samples]
            names = [names[index] for index in sorted(order.tolist())]
        return [sample for name in names if (sample := vault.get(name))]

    return draw


def _answered(order: TrainingOrder, weights: bytes, box: Box) -> tuple[TrainingAnswer, bytes]:
    if order.device != box.device:
        raise _RefusedError(Refusal.OTHER_DEVICE)
    trainer = box.trainer_for(order.parent)
    if trainer.layout.digest.hex() != order.layout:
        raise _RefusedError(Refusal.OTHER_LAYOUT)
    state = ClientState(box.learn_folder, run=order.run, layout=trainer.layout)
    if known := state.answered(order):
        log.info("round_answered_again", run=order.run, round=order.number)
        return known
    _check_readiness(box)
    base = incoming(weights, order, size=trainer.layout.size)
    return _trained(order, base, box, trainer, state)


def _trained(
    order: TrainingOrder, base: F32, box: Box, trainer: Trainer, state: ClientState
) -> tuple[TrainingAnswer, bytes]:
    seed = seed_of(order.seed, order.number, box.device)
    samples = (box.samples or vault_samples(box.learn_folder))(order.local, seed)
    if not samples:
        raise _RefusedError(Refusal.NO_SAMPLES)
    before = state.before(order.number)
    result = trainer.train(
        LocalTask(
            vector=base,
            layout=trainer.layout,
            samples=samples,
            plan_local=order.local,
            batch_norm=order.batch_norm,
            mu=order.proximal,
            seed=seed,
            own_norm=before.own_norm,
        )
    )
    packed = pack(
        result.vector - base,
        packing=order.packing,
        layout=trainer.layout,
        residual=before.residual,
    )
    answer = _answer(order, result)
    state.keep(
        order,
        answer,
        packed.data,
        rest=RoundRest(residual=packed.residual, own_norm=result.own_norm),
    )
    log.info(
        "round_trained",
        run=order.run,
        round=order.number,
        samples=answer.samples,
        train_s=answer.train_s,
        size_bytes=len(packed.data),
    )
    return answer, packed.data


def _answer(order: TrainingOrder, result: LocalResult) -> TrainingAnswer:
    # A training that diverged is seen by packing; what is said of it must still be a number.
    finite = {name: loss for name, loss in result.losses.items() if 0 <= loss < 1e12}
    return TrainingAnswer(
        run=order.run,
        number=order.number,
        device=order.device,
        base_sha256=order.base_sha256,
        samples=result.samples,
        losses=finite,
        map50=result.map50,
        train_s=result.seconds,
    )


def _check_readiness(box: Box) -> None:
    try:
        note = read_readiness(box.learn_folder)
    except NotFoundError as error:
        raise _RefusedError(Refusal.READINESS_UNKNOWN) from error
    if not note.is_fresh(box.clock.now()):
        raise _RefusedError(Refusal.READINESS_UNKNOWN)
    if not note.is_ready:
        raise _RefusedError(Refusal.NOT_READY, note.reasons)


class _RefusedError(ItsError):
    """The order is not followed, and the answer says why."""

    def __init__(self, refusal: Refusal, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(f"order refused: {refusal}")
        self.refusal = refusal
        self.reasons = reasons


_REFUSALS: dict[type[ItsError], Refusal] = {
    NotFoundError: Refusal.UNKNOWN_PARENT,
    TrustError: Refusal.DAMAGED_BASE,
}
