"""A wish, what is known of the boxes, and the settings → a plan that can be run, or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil

from pydantic import ValidationError

from common.errors import ConfigError, ConflictError, NotFoundError
from common.rounds import (
    Anchoring,
    AnchorSettings,
    BatchNorm,
    PlannedClient,
    RunPlan,
    Strategy,
    fewest_updates,
)
from common.settings_files import explain
from coordinator.config import FederationSettings
from coordinator.federation.deadlines import DeadlineSettings, deadline_s
from coordinator.federation.devices_store import Trainee
from coordinator.federation.privacy_budget import check_budget
from coordinator.federation.run_folder import check_parent
from coordinator.federation.views import RunWish
from coordinator.fleet.states import DeviceState

LEAST_CLIENTS = 2
"""With one client there is nobody to compare its update with."""

_MEANS = (Strategy.FEDAVG, Strategy.FEDPROX, Strategy.FEDADAM, Strategy.FEDYOGI)
_FEWEST_HIDDEN = 3
_NEVER_MIND = frozenset({"run", "parent", "devices", "samples", "quorum", "deadline_s", "anchor"})


def choose_clients(
    wish: RunWish, trainees: Sequence[Trainee], *, least_samples: int
) -> tuple[PlannedClient, ...]:
    """Whom to ask: the named ones, each of which must be able to, or everybody who is.

    Raises:
        NotFoundError: A named box is not known.
        ConflictError: A named box cannot take part, or too few can.
    """
    known = {one.device: one for one in trainees}
    chosen = []
    for name in wish.devices or sorted(known):
        if name not in known:
            raise NotFoundError(
                f"device {name!r} is not known", hint="list the boxes: its-camera-ai fleet list"
            )
        samples = wish.samples.get(name, known[name].samples)
        why = why_not(known[name], samples, least_samples)
        if why and wish.devices:
            raise ConflictError(f"device {name!r} {why}", hint="leave it out of the run")
        if not why:
            chosen.append(PlannedClient(device=name, samples=samples or 0))
    if len(chosen) < LEAST_CLIENTS:
        raise ConflictError(
            f"{len(chosen)} of {len(known)} boxes can take part, expected at least "
            f"{LEAST_CLIENTS}: enrolled, with a learning key and {least_samples} samples",
            hint="its-camera-ai edge learn status tells on a box what it has",
        )
    return tuple(chosen)


def make_plan(
    wish: RunWish,
    clients: tuple[PlannedClient, ...],
    times_s: Mapping[str, Sequence[float]],
    *,
    settings: FederationSettings,
    now: datetime,
) -> RunPlan:
    """The plan of a wish.

    Args:
        wish: What is asked for.
        clients: Of ``choose_clients``.
        times_s: Device → times of its earlier rounds, in seconds.
        settings: Where the wish says nothing.
        now: When it is planned; names the run too, where the wish does not.

    Raises:
        ConfigError: No parent, a parent that cannot be read, or choices that do not fit.
        TrustError: The parent is another file than its digest says.
        ConflictError: The rounds would cost more privacy than allowed.
    """
    parent = wish.parent or settings.parent
    if parent is None:
        raise ConfigError(
            "no parent model, expected one to start from",
            hint="name a checkpoint, or set federation.parent in the configuration",
        )
    check_parent(parent)
    chosen = wish.model_dump(exclude=set(_NEVER_MIND))
    bounds = DeadlineSettings(
        first_s=settings.first_deadline_s,
        margin=settings.deadline_margin,
        most_s=settings.most_deadline_s,
    )
    given = {
        "run": wish.run or f"run-{now:%Y%m%d-%H%M%S}",
        "created_at": now,
        "parent": parent,
        "clients": clients,
        "quorum": wish.quorum or _usual_quorum(wish, len(clients)),
        "deadline_s": wish.deadline_s or deadline_s(times_s, bounds),
        "anchor": wish.anchor or _usual_anchor(settings),
        "evaluation": wish.evaluation or settings.evaluation,
    }
    try:
        plan = RunPlan.model_validate(chosen | given)
    except ValidationError as error:
        raise ConfigError(f"run cannot be planned: {explain(error)}") from error
    _check_strategy(plan)
    _check_folders(plan)
    if plan.privacy is not None:
        check_budget(plan.privacy, rounds=plan.rounds)
    return plan


def _usual_anchor(settings: FederationSettings) -> AnchorSettings:
    """What keeps a run from forgetting, as compared in docs/ml-engineer.md."""
    if settings.anchor_data is None:
        return AnchorSettings(kind=Anchoring.AVERAGE)
    return AnchorSettings(kind=Anchoring.REPLAY, data=settings.anchor_data)


def why_not(one: Trainee, samples: int | None, least: int) -> str:
    """Why a box cannot take part in a run; empty when it can."""
    if one.state != DeviceState.ENROLLED:
        return f"is {one.state}, expected an enrolled one"
    if not one.has_learning_key:
        return "has no learning key, expected one from its enrolment or renewal"
    if samples is None:
        return f"does not tell how many samples it has, expected at least {least}"
    if samples < least:
        return f"has {samples} samples, expected at least {least}"
    return ""


def _usual_quorum(wish: RunWish, clients: int) -> int:
    """Two thirds, or what the strategy needs once screening has caught every liar."""
    needed = fewest_updates(wish.strategy, 0)
    return min(clients, max(LEAST_CLIENTS, ceil(clients * 2 / 3), needed))


def _check_strategy(plan: RunPlan) -> None:
    """What the bench would refuse in its first round, told before anybody trains."""
    if plan.privacy is not None and plan.strategy not in _MEANS:
        raise ConfigError(
            f"privacy of updates with {plan.strategy}, expected one of {', '.join(_MEANS)}: "
            "the noise is sized for a mean"
        )
    if plan.is_secure_sum:
        _check_secure(plan)


def _check_secure(plan: RunPlan) -> None:
    """Where nobody sees a single update, much cannot be done with one."""
    faults = {
        f"strategy {plan.strategy}, expected one of {', '.join(_MEANS)}": (
            plan.strategy not in _MEANS
        ),
        "privacy by clipping, which nobody could check": plan.privacy is not None,
        "batch_norm shared, expected local": plan.batch_norm is not BatchNorm.LOCAL,
        # With two devices each knows the other's update from the sum.
        f"quorum {plan.quorum}, expected at least 3": plan.quorum < _FEWEST_HIDDEN,
    }
    for fault, is_so in faults.items():
        if is_so:
            raise ConfigError(f"secure sum with {fault}")


def _check_folders(plan: RunPlan) -> None:
    for what, folder in (("anchor.data", plan.anchor.data), ("evaluation", plan.evaluation)):
        if folder is not None and not folder.is_dir():
            raise ConfigError(
                f"{what} {folder} is no folder", hint="correct it in the wish or the configuration"
            )
