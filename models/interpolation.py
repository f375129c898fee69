"""Start and fine-tuned weights → the point between them that loses nothing.

WiSE-FT (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"): the straight
line between the two keeps most of what was learned and most of what was known before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.scores import Scores, overall
from models.training import copy_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One point on the line and how it did on the held-out images.

    Attributes:
        alpha: 0 is the start, 1 the fine-tuned weights.
        scores: On the held-out images.
        gain: Change of mAP50-95 against the start, mean over the sets.
    """

    alpha: float
    scores: Scores
    gain: float


def interpolate(start: Any, tuned: Any, *, alpha: float) -> Any:
    """A YOLO whose every weight is (1 - alpha) · start + alpha · tuned.

    Args:
        start: ``ultralytics.YOLO`` before training.
        tuned: The same network after it.
        alpha: Share of the tuned weights, 0 to 1.

    Raises:
        ValueError: ``alpha`` is outside 0 to 1, or the networks differ in shape.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}, expected 0 to 1")
    mixed = copy_of(start)
    before, after = start.model.float().state_dict(), tuned.model.float().state_dict()
    shapes = {key: tuple(value.shape) for key, value in before.items()}
    if shapes != {key: tuple(value.shape) for key, value in after.items()}:
        raise ValueError("the two networks differ in shape, expected one and its fine-tuned copy")
    mixed.model.load_state_dict(
        {
            key: (1 - alpha) * value + alpha * after[key] if value.is_floating_point() else value
            for key, value in before.items()
        }
    )
    return mixed


def choose_alpha(
    start: Any,
    tuned: Any,
    *,
    alphas: Sequence[float],
    score: Callable[[Any], Scores],
    accept: Callable[[float, Any], bool],
) -> tuple[float, list[Choice]]:
    """Rank points on the line, and take the first that is accepted.

    Args:
        start: ``ultralytics.YOLO`` before training.
        tuned: The same network after it.
        alphas: Points to try.
        score: Scores a model on the held-out images; ranks the points.
        accept: Whether a point may be released; asked from the best one down.

    Returns:
        The accepted alpha (0, the start itself, when none is) and every point, best first.
    """
    reference = overall(score(interpolate(start, tuned, alpha=0.0)))
    tried = []
    for alpha in sorted(set(alphas) - {0.0}):
        scores = score(interpolate(start, tuned, alpha=alpha))
        tried.append(Choice(alpha=alpha, scores=scores, gain=overall(scores) - reference))
    tried.sort(key=lambda choice: -choice.gain)
    for choice in tried:
        better = choice.gain > 0
        if better and accept(choice.alpha, interpolate(start, tuned, alpha=choice.alpha)):
            return choice.alpha, tried
    return 0.0, tried
