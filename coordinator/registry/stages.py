"""Where a version is and what is known of it → where it may go next, or every reason why not.

The gates are data: a page shows them as they are judged. A stage is never skipped and never
entered twice; a rejected candidate stays where it is, for whoever wants to know why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from common.errors import ConflictError


class DeploymentStage(StrEnum):
    """How far a version of the model was let."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    CANARY = "canary"
    PRODUCTION = "production"


ORDER = tuple(DeploymentStage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a gate looks at.

    Attributes:
        stage: Where the version is.
        rejections: Why the bench rejected it; empty when it passed.
        has_weights: An ONNX file that boxes can run.
        has_map: Precision was measured, beside that of the model in use.
        has_counts: So were the counts of the proof set.
        is_signed: The offline keys signed a release with exactly these weights, and with it a
            calibration set.
        canaries: Boxes that confirmed it in a canary that held.
        proposed_by: Who proposed production; None for nobody.
    """

    stage: DeploymentStage
    rejections: tuple[str, ...] = ()
    has_weights: bool = False
    has_map: bool = False
    has_counts: bool = False
    is_signed: bool = False
    canaries: int = 0
    proposed_by: str | None = None


def after(stage: DeploymentStage) -> DeploymentStage | None:
    """The stage that may follow; None after the last."""
    place = ORDER.index(stage) + 1
    return ORDER[place] if place < len(ORDER) else None


def check_order(facts: Facts, to: DeploymentStage) -> None:
    """Return only when ``to`` is the very next stage.

    Raises:
        ConflictError: It is not.
    """
    wanted = after(facts.stage)
    if to is wanted:
        return
    if to is facts.stage:
        raise ConflictError(f"the version is in {to} already, expected it proposed once")
    said = f"expected {wanted} next" if wanted else "nothing comes after it"
    raise ConflictError(f"the version is in {facts.stage}, {said} instead of {to}")


def missing_for(facts: Facts, to: DeploymentStage) -> tuple[str, ...]:
    """Why the gate before ``to`` stays closed, one line each; empty when it opens.

    The second person is not among them: approving is the last step, not a piece of evidence.
    """
    rows: dict[DeploymentStage, tuple[tuple[bool, str], ...]] = {
        DeploymentStage.DEVELOPMENT: (),
        DeploymentStage.STAGING: (
            (facts.has_weights, "no ONNX file is among its files"),
            (facts.has_map, "no precision was recorded for it and the model in use"),
            (facts.has_counts, "no counts of the proof set were recorded"),
            (not facts.rejections, f"the bench rejected it: {'; '.join(facts.rejections)}"),
        ),
        DeploymentStage.CANARY: (
            (facts.is_signed, "no signed release with these weights and a calibration set is here"),
        ),
        DeploymentStage.PRODUCTION: ((facts.canaries > 0, "no canary rollout of it has held"),),
    }
    return tuple(reason for holds, reason in rows[to] if not holds)


def check_approval(facts: Facts, by: str) -> None:
    """Return only when ``by`` may let the version into production.

    Raises:
        ConflictError: Nobody proposed it, the same person did, or the gate is closed by now.
    """
    if facts.stage is DeploymentStage.PRODUCTION:
        raise ConflictError("the version is in production already, expected it approved once")
    if facts.proposed_by is None:
        raise ConflictError(
            f"nobody proposed production for the version, which is in {facts.stage}",
            hint="one person proposes, another one approves",
        )
    if facts.proposed_by == by:
        raise ConflictError(
            f"{by} proposed it, expected the approval of a second person",
            hint="ask somebody else who may approve models",
        )
    if missing := missing_for(facts, DeploymentStage.PRODUCTION):
        raise ConflictError(f"production stays closed: {'; '.join(missing)}")
