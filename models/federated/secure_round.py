"""Devices that hide their updates from the server → their weighted mean, and nothing of one.

What works with it: means (FedAvg, FedProx, FedAdam, FedYogi), FedBN, anchors, evaluation,
resume. What does not: no update can be screened, shortened or refused, so one hostile device can
move the mean as far as the clip of each value allows; strategies that compare updates and
differential privacy with a clip are refused. It hides updates from a server that follows the
protocol: keys of the devices are passed on by the server itself and not certified, so one that
lies actively could put itself between them (Bell et al. 2020, section 4, assumes a PKI there).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.errors import ConfigError
from common.rounds import BatchNorm, ClientOutcome, ClientVerdict, RunPlan
from models.federated.aggregation import MEANS
from models.federated.orders import Refusal, TrainingAnswer, TrainingOrder
from models.federated.parameters import F32
from models.federated.verdicts import Judged, known_samples

SUM = "secure-sum"
"""Name under which the mean is aggregated."""
UNSEEN = "unseen"
"""Reason of every device of a secure round: it was taken without a look."""
FEWEST = 3
"""With two devices each knows the other's update from the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureSum:
    """What a secure round yields.

    Attributes:
        mean: Of the deltas, weighted by claimed samples, shape (n,).
        answers: Device → what it says of its training.
    """

    mean: F32
    answers: Mapping[str, TrainingAnswer]


class SecureExchange(Protocol):
    """Reaches devices without seeing what each of them sends."""

    def mean_of(
        self,
        orders: Sequence[TrainingOrder],
        weights: bytes,
        *,
        most_samples: int,
        deadline_s: float,
    ) -> SecureSum:
        """Send each order, and combine what comes back.

        Args:
            orders: One for each device.
            weights: Of the round, as they travel.
            most_samples: No device may claim more.
            deadline_s: Of the whole round.

        Raises:
            ConflictError: Too few devices stayed until the end.
        """
        ...


def check_secure(plan: RunPlan, *, has_secure: bool) -> None:
    """Return only when a plan's wish for a secure sum can be met, or it has none.

    Raises:
        ConfigError: It cannot.
    """
    if not plan.is_secure_sum:
        return
    faults = {
        f"strategy {plan.strategy}, expected a mean: {', '.join(MEANS)}": plan.strategy
        not in MEANS,
        "clipping for privacy, which nobody could check": plan.privacy is not None,
        # Variances are not bounded as weights are; masking clips every value.
        "shared BatchNorm, expected local": plan.batch_norm is not BatchNorm.LOCAL,
        f"quorum {plan.quorum}, expected at least {FEWEST}": plan.quorum < FEWEST,
        "an exchange that cannot mask": not has_secure,
    }
    for fault, is_so in faults.items():
        if is_so:
            raise ConfigError(f"secure sum with {fault}", hint="see docs/ml-engineer.md")


def secure_judged() -> tuple[Judged, ...]:
    """The mean, as aggregation takes it."""
    return (Judged(client=SUM, verdict=ClientVerdict.ACCEPTED, weight=1.0),)


def secure_outcomes(
    plan: RunPlan, answers: Mapping[str, TrainingAnswer]
) -> tuple[ClientOutcome, ...]:
    """One for each planned device, in the order of the plan."""
    known = known_samples(plan)
    total = sum(answer.samples for answer in answers.values())
    told = []
    for client in plan.clients:
        answer = answers.get(client.device)
        if answer is None:
            reasons = (str(Refusal.NO_ANSWER),)
            missing = ClientVerdict.MISSING
            told.append(ClientOutcome(device=client.device, verdict=missing, reasons=reasons))
            continue
        told.append(
            ClientOutcome(
                device=client.device,
                verdict=ClientVerdict.ACCEPTED,
                reasons=(UNSEEN,),
                weight=answer.samples / total if total else 0.0,
                samples=min(answer.samples, known.get(client.device, 0)),
                claimed_samples=answer.samples,
                train_s=answer.train_s,
                loss=answer.losses.get("total"),
            )
        )
    return tuple(told)
