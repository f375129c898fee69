"""A network and its vector say the same; what is not in the vector stays."""

from __future__ import annotations

import numpy as np
import pytest

from models.federated.network import (
    layout_of_network,
    load_vector,
    network_with,
    vector_of,
    vector_of_network,
    with_vector,
)
from tests.fakes.untrained_yolo import untrained_yolo

pytestmark = [pytest.mark.unit, pytest.mark.ml]


def test_a_network_that_took_a_vector_gives_it_back() -> None:
    model = untrained_yolo()
    layout = layout_of_network(model)
    values = np.linspace(-1, 1, layout.size, dtype=np.float32)

    twin = with_vector(model, values, layout)

    assert (vector_of(twin, layout) == values).all()
    assert not (vector_of(model, layout) == values).all()


def test_the_bare_network_holds_the_same() -> None:
    model = untrained_yolo()
    layout = layout_of_network(model)
    values = np.full(layout.size, 0.5, dtype=np.float32)

    network = network_with(model, values, layout)

    assert (vector_of_network(network, layout) == values).all()
    assert float(network.state_dict()["model.0.bn.running_mean"][0]) == 0.5


def test_constants_and_counters_are_not_in_the_vector() -> None:
    model = untrained_yolo()
    layout = layout_of_network(model)

    twin = with_vector(model, np.zeros(layout.size, dtype=np.float32), layout)

    # the box head measures in sixteen steps, whatever was sent
    projection = twin.model.state_dict()["model.23.dfl.conv.weight"].flatten()
    assert projection.tolist() == list(range(16))


def test_a_vector_of_another_network_is_refused() -> None:
    model = untrained_yolo()
    layout = layout_of_network(model)

    with pytest.raises(ValueError, match=r"vector of shape \(3,\)"):
        load_vector(model, np.zeros(3, dtype=np.float32), layout)
