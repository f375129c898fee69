"""FedBN: a device's BatchNorm lies on its disk, one file a round, and a round can be repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from models.federated.local_batch_norm import BatchNormFolder, own_part, with_own_part
from models.federated.parameters import Layout, layout_of

pytestmark = pytest.mark.unit


@pytest.fixture
def layout() -> Layout:
    state = {
        "model.0.conv.weight": np.zeros((2,), dtype=np.float32),
        "model.0.bn.weight": np.zeros((3,), dtype=np.float32),
        "model.0.bn.bias": np.zeros((3,), dtype=np.float32),
        "model.0.bn.running_mean": np.zeros((3,), dtype=np.float32),
        "model.0.bn.running_var": np.zeros((3,), dtype=np.float32),
    }
    return layout_of(state)


def part(value: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.full(12, value, dtype=np.float32)


def test_only_the_batch_norm_part_is_replaced(layout: Layout) -> None:
    vector = np.arange(14, dtype=np.float32)

    merged = with_own_part(vector, part(7), layout)

    assert merged.tolist() == [0, 1] + [7] * 12
    assert own_part(vector, layout).tolist() == list(range(2, 14))


def test_a_part_of_another_network_is_refused(layout: Layout) -> None:
    with pytest.raises(ValueError, match="expected \\(12,\\)"):
        with_own_part(np.zeros(14, dtype=np.float32), np.zeros(3, dtype=np.float32), layout)


def test_a_device_begins_without_and_goes_on_with_what_its_last_round_left(
    tmp_path: Path, layout: Layout
) -> None:
    kept = BatchNormFolder(tmp_path, run="run-1", layout=layout)

    first = kept.before(1)
    kept.keep(1, part(1))
    kept.keep(3, part(3))

    assert first is None
    assert np.array_equal(kept.before(2), part(1))
    assert np.array_equal(kept.before(9), part(3))


def test_a_repeated_round_begins_where_it_began_the_first_time(
    tmp_path: Path, layout: Layout
) -> None:
    kept = BatchNormFolder(tmp_path, run="run-1", layout=layout)
    kept.keep(1, part(1))
    kept.keep(5, part(5))

    again = kept.before(5)
    kept.keep(5, part(6))

    assert np.array_equal(again, part(1))
    assert np.array_equal(kept.before(6), part(6))


def test_runs_do_not_share(tmp_path: Path, layout: Layout) -> None:
    BatchNormFolder(tmp_path, run="run-1", layout=layout).keep(1, part(1))

    assert BatchNormFolder(tmp_path, run="run-2", layout=layout).before(2) is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"rubbish", id="no array"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, layout: Layout, content: bytes) -> None:
    kept = BatchNormFolder(tmp_path, run="run-1", layout=layout)
    kept.keep(1, part(1))
    (tmp_path / "run-1" / "round-0001.npy").write_bytes(content)

    with pytest.raises(ConfigError, match="not readable"):
        kept.before(2)


def test_a_file_of_another_network_is_refused(tmp_path: Path, layout: Layout) -> None:
    BatchNormFolder(tmp_path, run="run-1", layout=layout).keep(1, part(1)[:5])

    with pytest.raises(ConfigError, match="expected 12 float32"):
        BatchNormFolder(tmp_path, run="run-1", layout=layout).before(2)
