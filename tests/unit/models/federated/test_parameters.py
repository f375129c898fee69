"""A network's arrays become one vector and come back the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.federated.parameters import Entry, Layout, flatten, layout_of, unflatten

pytestmark = pytest.mark.unit

STATE = {
    "0.conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "0.bn.weight": np.array([10, 11], np.float32),
    "0.bn.running_mean": np.array([12, 13], np.float32),
    "0.bn.num_batches_tracked": np.array(7),
    "23.dfl.conv.weight": np.arange(16, dtype=np.float32),
    "23.scale": np.array(14, np.float32),
}


def test_arrays_lie_one_after_another_in_the_order_of_the_network() -> None:
    layout = layout_of(STATE)

    vector = flatten(STATE, layout)

    assert vector.tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14]
    assert [entry.offset for entry in layout.entries] == [0, 6, 8, 10]


def test_counters_and_the_constant_projection_are_never_in_it() -> None:
    names = [entry.name for entry in layout_of(STATE).entries]

    assert "0.bn.num_batches_tracked" not in names
    assert "23.dfl.conv.weight" not in names


def test_the_mask_holds_scales_and_statistics_of_batch_norm_alone() -> None:
    layout = layout_of(STATE)

    assert np.flatnonzero(layout.batch_norm).tolist() == [6, 7, 8, 9]


def test_unflattened_arrays_have_their_shapes_and_values() -> None:
    layout = layout_of(STATE)

    found = unflatten(flatten(STATE, layout), layout)

    assert set(found) == {entry.name for entry in layout.entries}
    for name, values in found.items():
        np.testing.assert_array_equal(values, STATE[name])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"0.conv.weight": np.zeros((3, 2), np.float32)}, id="another shape"),
        pytest.param({"0.conv.bias": np.zeros((2, 3), np.float32)}, id="another name"),
    ],
)
def test_the_digest_tells_networks_apart(other: dict[str, np.ndarray]) -> None:
    one = layout_of({"0.conv.weight": np.zeros((2, 3), np.float32)})

    assert layout_of(other).digest != one.digest


def test_the_digest_does_not_depend_on_values() -> None:
    one = layout_of({"w": np.zeros(3, np.float32)})

    assert layout_of({"w": np.ones(3, np.float64)}).digest == one.digest


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({}, id="missing"),
        pytest.param({"w": np.zeros((2, 2), np.float32)}, id="another shape"),
    ],
)
def test_a_state_of_another_network_is_refused(state: dict[str, np.ndarray]) -> None:
    layout = layout_of({"w": np.zeros(3, np.float32)})

    with pytest.raises(ValueError, match="array w"):
        flatten(state, layout)


def test_a_vector_of_another_length_is_refused() -> None:
    layout = layout_of({"w": np.zeros(3, np.float32)})

    with pytest.raises(ValueError, match="expected \\(3,\\)"):
        unflatten(np.zeros(4, np.float32), layout)


def test_integers_that_should_travel_are_refused() -> None:
    with pytest.raises(ValueError, match="expected floats"):
        layout_of({"w": np.zeros(3, np.int64)})


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param((), id="nothing"),
        pytest.param(
            (Entry(name="a", shape=(2,), offset=1, size=2, is_batch_norm=False),), id="a gap"
        ),
        pytest.param(
            (Entry(name="a", shape=(2,), offset=0, size=3, is_batch_norm=False),), id="wrong size"
        ),
    ],
)
def test_a_layout_without_sense_cannot_be_made(entries: tuple[Entry, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Layout(entries)


@given(st.lists(st.lists(st.integers(1, 4), max_size=3), min_size=1, max_size=5), st.integers(0))
def test_whatever_the_shapes_nothing_is_lost(shapes: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = {str(i): rng.random(shape, dtype=np.float32) for i, shape in enumerate(shapes)}
    layout = layout_of(state)

    found = unflatten(flatten(state, layout), layout)

    for name, values in state.items():
        np.testing.assert_array_equal(found[name], values)
