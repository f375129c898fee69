"""Updates of which a few may lie → one update, by coordinate or by distance.

Every function reads the same stretch of all clients at a time: memory is about a quarter of a
model whatever the number of clients. The order is that of client names, so results are equal
on every machine. Where we and Flower's strategies of the same names part:

* distances are those of deltas in float64; Flower takes ||x||² + ||y||² - 2xy of whole weights in
  float32, where nearly all digits cancel, and so now and then chooses others than the paper does;
* Bulyan chooses one update at a time and scores the rest anew, as in the paper; Flower takes all
  of them from one scoring;
* what Multi-Krum chose is averaged with the weights that screening gave, as Flower does with the
  clients' claims; the paper takes the plain mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from common.errors import ConflictError
from common.rounds import Strategy, fewest_updates
from models.federated.direction_sketch import F64
from models.federated.parameters import F32
from models.federated.spool import Updates
from models.federated.verdicts import Judged

_FEWEST_VALUES = 1_024


def liars_left(strategy: Strategy, byzantine: int, *, taken: int, refused: int) -> int:
    """The f of this round: as planned, or less by those that screening has caught already.

    Raises:
        ConflictError: Too few updates even so.
    """
    for left in range(byzantine, max(0, byzantine - refused) - 1, -1):
        if taken >= fewest_updates(strategy, left):
            return left
    raise ConflictError(
        f"{strategy} with {taken} updates, expected at least "
        f"{fewest_updates(strategy, max(0, byzantine - refused))} against {byzantine} liars of "
        f"which {refused} were refused",
        hint="ask more clients, plan for fewer liars, or choose fedmedian",
    )


def median_update(taken: Sequence[Judged], updates: Updates) -> F32:
    """The median of every coordinate (Yin et al. 2018), shape (n,)."""
    return _by_stretch(taken, updates, lambda rows: _middle(np.sort(rows, axis=0)))


def trimmed_update(taken: Sequence[Judged], updates: Updates, *, liars: int) -> F32:
    """The mean of every coordinate without the ``liars`` smallest and largest, shape (n,)."""

    def inner(rows: F32) -> F64:
        kept = np.sort(rows, axis=0)[liars : len(rows) - liars]
        return np.asarray(np.mean(kept, axis=0, dtype=np.float64))

    return _by_stretch(taken, updates, inner)


def bulyan_update(taken: Sequence[Judged], updates: Updates, *, liars: int) -> F32:
    """Of n - 2f chosen by repeated Krum, the mean of the n - 4f nearest to each median, (n,).

    El Mhamdi et al. 2018, section 4: theta = n - 2f, beta = theta - 2f.
    """
    chosen = _chosen_one_by_one(taken, updates, liars=liars, count=len(taken) - 2 * liars)
    nearest = len(taken) - 4 * liars

    def inner(rows: F32) -> F64:
        far = np.abs(rows - _middle(np.sort(rows, axis=0)))
        rank = np.argsort(far, axis=0, kind="stable")[:nearest]
        kept = np.take_along_axis(rows, rank, axis=0)
        return np.asarray(np.mean(kept, axis=0, dtype=np.float64))

    return _by_stretch(chosen, updates, inner)


def nearest_to_others(
    taken: Sequence[Judged], updates: Updates, *, liars: int, count: int
) -> list[Judged]:
    """The ``count`` updates with the least sum of squared distances to their n - f - 2 nearest.

    Blanchard et al. 2017, section 4: Krum with a count of 1, else Multi-Krum.

    Returns:
        In the order of client names.
    """
    ranked = _ranked(_squared_distances(taken, updates), liars)
    return [taken[index] for index in sorted(ranked[:count])]


def _chosen_one_by_one(
    taken: Sequence[Judged], updates: Updates, *, liars: int, count: int
) -> list[Judged]:
    """The best by Krum, then the best of the rest scored among themselves, and so on."""
    squared = _squared_distances(taken, updates)
    left = list(range(len(taken)))
    chosen: list[int] = []
    while len(chosen) < count:
        best = _ranked(squared[np.ix_(left, left)], liars)[0]
        chosen.append(left.pop(best))
    return [taken[index] for index in sorted(chosen)]


def _ranked(squared: F64, liars: int) -> list[int]:
    """Rows from the least Krum score to the greatest; of equal ones the first comes first."""
    # The last of Bulyan's rounds has n - f - 2 below one: then the nearest one alone decides.
    near = max(1, len(squared) - liars - 2)
    others = squared.copy()
    np.fill_diagonal(others, -np.inf)
    scores = np.sort(others, axis=1)[:, 1 : near + 1].sum(axis=1)
    return [int(index) for index in np.argsort(scores, kind="stable")]


def _squared_distances(taken: Sequence[Judged], updates: Updates) -> F64:
    products = np.zeros((len(taken), len(taken)))
    for _, rows in _stretches(taken, updates):
        wide = rows.astype(np.float64)
        products += wide @ wide.T
    lengths = np.diag(products)
    return np.maximum(lengths[:, None] + lengths[None, :] - 2 * products, 0)


def _middle(ordered: NDArray[np.float32]) -> F32:
    count = len(ordered)
    middle: F32 = (ordered[(count - 1) // 2] + ordered[count // 2]) / np.float32(2)
    return middle


def _by_stretch(
    taken: Sequence[Judged], updates: Updates, combine: Callable[[F32], F32 | F64]
) -> F32:
    update = np.empty(updates.layout.size, dtype=np.float32)
    for place, rows in _stretches(taken, updates):
        update[place] = combine(rows)
    return update


def _stretches(taken: Sequence[Judged], updates: Updates) -> Iterator[tuple[slice, F32]]:
    """Place and the values there of every client, shape (clients, stretch)."""
    size = updates.layout.size
    length = max(_FEWEST_VALUES, size // (16 * max(1, len(taken))))
    for start in range(0, size, length):
        place = slice(start, min(start + length, size))
        rows = [updates.stretch(one.client, place) * np.float32(one.scale) for one in taken]
        yield place, np.stack(rows)
