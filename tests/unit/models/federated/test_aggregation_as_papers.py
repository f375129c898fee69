"""Krum, Multi-Krum and Bulyan give what a plain transcription of their papers gives."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from common.rounds import ClientVerdict, Strategy
from models.federated.aggregation import aggregate
from models.federated.parameters import F32, layout_of
from models.federated.server_optimiser import ServerState
from models.federated.spool import UpdatesInMemory
from models.federated.verdicts import Judged
from tests.fakes.made_up_updates import plan_for

pytestmark = pytest.mark.unit

VALUES = 12
LAYOUT = layout_of({"flat": np.zeros(VALUES, np.float32)})

Vectors = list[list[float]]


def krum_scores(vectors: Vectors, f: int) -> list[float]:
    """Blanchard et al. 2017, section 4: over the n - f - 2 closest of the others.

    Where that is none, as in the last selection of Bulyan with f = 1, over the closest one.
    """
    scores = []
    for i, own in enumerate(vectors):
        distances = sorted(
            sum((a - b) ** 2 for a, b in zip(own, other, strict=True))
            for j, other in enumerate(vectors)
            if j != i
        )
        scores.append(sum(distances[: max(1, len(vectors) - f - 2)]))
    return scores


def krum(vectors: Vectors, f: int) -> list[float]:
    """The vector with the least score."""
    scores = krum_scores(vectors, f)
    return vectors[scores.index(min(scores))]


def multi_krum(vectors: Vectors, f: int) -> list[float]:
    """The plain mean of the m vectors with the least scores; m = n - f."""
    scores = krum_scores(vectors, f)
    best = sorted(range(len(vectors)), key=scores.__getitem__)[: len(vectors) - f]
    return [statistics.fmean(vectors[i][k] for i in best) for k in range(VALUES)]


def bulyan(vectors: Vectors, f: int) -> list[float]:
    """El Mhamdi et al. 2018, section 4.

    Krum's choice moves from the received to the selected ones until they are theta = n - 2f;
    then each coordinate is the mean of the beta = theta - 2f values closest to its median.
    """
    received, selected = list(vectors), []
    while len(selected) < len(vectors) - 2 * f:
        chosen = krum(received, f)
        received.remove(chosen)
        selected.append(chosen)
    beta = len(selected) - 2 * f
    result = []
    for k in range(VALUES):
        values = [one[k] for one in selected]
        median = statistics.median(values)
        result.append(statistics.fmean(sorted(values, key=lambda v: abs(v - median))[:beta]))
    return result


PAPERS = {Strategy.KRUM: krum, Strategy.MULTI_KRUM: multi_krum, Strategy.BULYAN: bulyan}


def made_up_vectors(clients: int, seed: int) -> dict[str, F32]:
    """Honest ones around a common direction, and a liar that is their opposite and longer."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(VALUES)
    rows = {f"c{i:02}": common + rng.standard_normal(VALUES) for i in range(clients)}
    rows["c01"] = -3 * common
    return {name: row.astype(np.float32) for name, row in rows.items()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("clients", "liars"), [(7, 1), (10, 1), (11, 2), (16, 3), (5, 0)])
@pytest.mark.parametrize("strategy", PAPERS)
def test_a_round_gives_what_the_paper_says(
    strategy: Strategy, clients: int, liars: int, seed: int
) -> None:
    deltas = made_up_vectors(clients, seed)
    judged = [
        Judged(client=name, verdict=ClientVerdict.ACCEPTED, weight=1 / clients) for name in deltas
    ]
    plan = plan_for(dict.fromkeys(deltas, 9), strategy=strategy, most_byzantine=liars)

    found = aggregate(
        np.zeros(VALUES, np.float32),
        judged,
        UpdatesInMemory(LAYOUT, deltas),
        plan=plan,
        state=ServerState(),
    ).vector

    expected = PAPERS[strategy]([row.tolist() for row in deltas.values()], liars)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
