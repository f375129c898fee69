"""What boxes say they count with → when each began with which model, and why."""

from __future__ import annotations

from datetime import datetime

from common.release_state import ReleaseState, Step
from coordinator.rollouts.states import RolloutState
from coordinator.rollouts.store import EnrolledBox, RolloutStore
from coordinator.rollouts.tables import ModelRunRow, RolloutRow
from coordinator.rollouts.words import word_of

_FIRST = "as it was installed"
_BY_HAND = "changed on the box"


def keep_history(
    store: RolloutStore,
    enrolled: dict[str, EnrolledBox],
    newest: RolloutRow | None,
    *,
    tenant: str,
    now: datetime,
) -> int:
    """Write down every box that counts with another model than it did.

    Returns:
        How many.
    """
    changed = 0
    open_runs = store.open_runs()
    for device, box in enrolled.items():
        word = word_of(box.health)
        before = open_runs.get(device)
        if word is None or (before is not None and before.sha256 == word.active_sha256
                            and before.version == word.active_version):  # fmt: skip
            continue
        rollout = newest if before is not None and _is_of(newest, word) else None
        row = ModelRunRow(
            device_id=device,
            number=before.number + 1 if before else 1,
            tenant_id=tenant,
            site=box.site,
            version=word.active_version,
            sha256=word.active_sha256,
            slot=word.slot.value,
            began_at=now,
            why=_why(before, word, rollout),
            rollout_id=rollout.id if rollout else None,
        )
        store.begin_run(before, row)
        changed += 1
    return changed


def _is_of(newest: RolloutRow | None, word: ReleaseState) -> bool:
    """The change is the newest rollout's doing, there or back."""
    if newest is None:
        return False
    if newest.version in (word.active_version, word.wanted_version):
        return True
    return newest.state in (RolloutState.ROLLED_BACK, RolloutState.HALTED)


def _why(before: ModelRunRow | None, word: ReleaseState, rollout: RolloutRow | None) -> str:
    if before is None:
        return _FIRST
    if word.step is Step.ROLLED_BACK:
        return f"the box took {before.version} back: {word.reason or 'no reason given'}"
    if rollout is None:
        return _BY_HAND
    if word.active_version == rollout.version:
        return f"rollout {rollout.id}"
    return f"rollout {rollout.id} was taken back: {rollout.reason}"[:256]
