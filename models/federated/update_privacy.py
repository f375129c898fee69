"""A wish for privacy ↔ what noise of that size promises, and where the promise ends.

Mechanism. Every device's delta is shortened to at most C = ``clip_norm`` (L2, over the whole
vector), the shortened deltas are summed with equal weights, the sum is divided by the number n of
devices that answered the round, and independent normal noise of standard deviation z·C/n is added
to each coordinate (z = ``noise_multiplier``): the Gaussian mechanism with sensitivity C/n.

Neighbours. Two runs are neighbours when they differ in everything that *one device* ever sent,
which in the other run is replaced by zeros ("zero-out": Kairouz et al. 2021, section 2.1). Who
took part, and so n, is public; an update that is refused for what it holds stays counted in n and
adds zeros. For this the noise only has to hide one shortened delta in every round, and rules by
which one device's update decides about another's (medians, cosines, shares) are not applied.

Accounting. Every invited device is expected in every round: nothing is gained from sampling. The
rounds are composed with Rényi differential privacy (Mironov 2017) by Flower's accountant over
``dp-accounting``, whose add-or-remove relation has the same sensitivity as ours.

What is promised concerns the sequence of global models, and whatever is computed from them. The
coordinator itself sees single updates, and its ledger tells their lengths: keep it as you would
keep the updates. Only strategies that are means of updates qualify.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.errors import ConfigError, ConflictError
from common.rounds import RunPlan, UpdatePrivacy
from models.federated.aggregation import MEANS

_MOST_ROUNDS = 1_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend and has spent.

    Attributes:
        privacy: From the plan.
        rounds: Finished with noise so far.
    """

    privacy: UpdatePrivacy
    rounds: int = 0

    @property
    def epsilon(self) -> float:
        """Spent so far, at the plan's delta."""
        return epsilon_after(self.rounds, self.privacy)

    def spend(self) -> Budget:
        """The budget after one more round; ask *before* the round's result goes anywhere.

        Raises:
            ConflictError: The round would leave the budget.
        """
        after = epsilon_after(self.rounds + 1, self.privacy)
        if after > self.privacy.most_epsilon:
            raise ConflictError(
                f"round {self.rounds + 1} would spend epsilon {after:.3g} in all, "
                f"the plan allows {self.privacy.most_epsilon:g}",
                hint="the run ends here; the model of the round before is what it may publish",
            )
        return Budget(self.privacy, self.rounds + 1)


def epsilon_after(rounds: int, privacy: UpdatePrivacy) -> float:
    """What so many rounds cost one device at ``privacy.delta``.

    Raises:
        ConfigError: The accountant is not installed.
        ValueError: Fewer than no rounds.
    """
    if rounds < 0:
        raise ValueError(f"{rounds} rounds, expected none or more")
    if rounds == 0:
        return 0.0
    try:
        from flwr.serverapp import (
            GaussianPrivacyEvent,
            NeighboringRelation,
            PrivacyConfig,
            RdpAccountant,
            SamplingMethod,
        )
    except ImportError as error:
        raise ConfigError(
            "no privacy accountant, expected flwr with dp-accounting",
            hint="pip install 'its-camera-ai[train]'",
        ) from error
    accountant = RdpAccountant(
        PrivacyConfig(
            target_delta=privacy.delta,
            population_size=1,
            neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE,
            sampling_method=SamplingMethod.NO_AMPLIFICATION,
        )
    )
    event = GaussianPrivacyEvent(
        noise_multiplier=privacy.noise_multiplier, sample_size=1, population_size=1
    )
    accountant.compose(event, rounds)
    return float(accountant.get_epsilon(privacy.delta))


def rounds_within(privacy: UpdatePrivacy) -> int:
    """How many rounds the budget is good for, at most a thousand."""
    least, most = 0, _MOST_ROUNDS
    while least < most:
        middle = (least + most + 1) // 2
        if epsilon_after(middle, privacy) <= privacy.most_epsilon:
            least = middle
        else:
            most = middle - 1
    return least


def check_privacy(plan: RunPlan) -> Budget | None:
    """The budget of a run that is about to start, None when it asks for no privacy.

    Raises:
        ConfigError: More rounds than the budget is good for, or nothing that noise can protect.
    """
    if plan.privacy is None:
        return None
    if plan.strategy not in MEANS:
        raise ConfigError(
            f"privacy of updates with {plan.strategy}, expected one of "
            f"{', '.join(MEANS)}: the noise is sized for a mean",
        )
    wanted = epsilon_after(plan.rounds, plan.privacy)
    if wanted > plan.privacy.most_epsilon:
        fitting = rounds_within(plan.privacy)
        raise ConfigError(
            f"{plan.rounds} rounds at noise {plan.privacy.noise_multiplier:g} spend epsilon "
            f"{wanted:.3g} at delta {plan.privacy.delta:g}, expected at most "
            f"{plan.privacy.most_epsilon:g}",
            hint=f"plan {fitting} rounds" if fitting else "raise the noise multiplier",
        )
    return Budget(plan.privacy)


def noise_to_clip(plan: RunPlan, values: int) -> float:
    """Expected length of the noise in a round beside the longest mean update there can be.

    Above 1 the noise outweighs everything that was learned: z·sqrt(values)/n.

    Args:
        plan: A private run.
        values: Of the network's vector.

    Raises:
        ValueError: The plan asks for no privacy.
    """
    if plan.privacy is None:
        raise ValueError("plan without privacy")
    return float(plan.privacy.noise_multiplier * values**0.5 / len(plan.clients))
