"""The server's step, and that its memory survives being written down."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import TrustError, UnreachableError
from common.rounds import Strategy
from models.federated.server_optimiser import ServerState, read_state, step, write_state

pytestmark = pytest.mark.unit

BASE = np.array([1, 2, 3], np.float32)
UPDATE = np.array([1e-4, -1e-4, 0], np.float32)


def stepped(strategy: Strategy, state: ServerState) -> tuple[np.ndarray, ServerState]:
    return step(BASE, UPDATE.copy(), strategy=strategy, rate=1.0, state=state)


def test_a_plain_step_adds_the_update() -> None:
    vector, state = stepped(Strategy.FEDAVG, ServerState())

    np.testing.assert_array_equal(vector, BASE + UPDATE)
    assert (state.steps, state.momentum) == (1, None)


@pytest.mark.parametrize("strategy", [Strategy.FEDADAM, Strategy.FEDYOGI])
def test_at_rate_one_small_steady_updates_move_about_as_far_as_a_plain_step(
    strategy: Strategy,
) -> None:
    state = ServerState()
    for _ in range(300):
        vector, state = stepped(strategy, state)

    assert (vector - BASE)[:2] == pytest.approx(UPDATE[:2], rel=0.35)


@pytest.mark.parametrize("strategy", [Strategy.FEDADAM, Strategy.FEDYOGI])
def test_a_run_that_was_cut_off_goes_on_with_the_same_bits(
    strategy: Strategy, tmp_path: Path
) -> None:
    _, state = stepped(strategy, ServerState())
    write_state(tmp_path / "round-001.state.npz", state)

    again = read_state(tmp_path / "round-001.state.npz", 3)

    assert stepped(strategy, again)[0].tobytes() == stepped(strategy, state)[0].tobytes()


def test_a_state_without_momentum_is_read_back(tmp_path: Path) -> None:
    write_state(tmp_path / "state.npz", ServerState(steps=4))

    assert read_state(tmp_path / "state.npz", 3) == ServerState(steps=4)


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty"), pytest.param(b"PK\3\4 rubbish", id="rubbish")]
)
def test_a_damaged_state_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.npz").write_bytes(content)

    with pytest.raises(TrustError, match=r"state\.npz"):
        read_state(tmp_path / "state.npz", 3)


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path / "state.npz", stepped(Strategy.FEDADAM, ServerState())[1])

    with pytest.raises(TrustError, match="expected float32 of \\(4,\\)"):
        read_state(tmp_path / "state.npz", 4)


def test_a_missing_state_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="no optimiser state"):
        read_state(tmp_path / "state.npz", 3)


def test_only_its_owner_reads_a_state_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    _, state = stepped(Strategy.FEDYOGI, ServerState())

    write_state(tmp_path / "state.npz", state)
    write_state(tmp_path / "state.npz", replace(state, steps=7))

    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
    assert (tmp_path / "state.npz").stat().st_mode & 0o777 == 0o600
    assert read_state(tmp_path / "state.npz", 3).steps == 7


def test_a_state_is_written_without_a_copy_of_it(tmp_path: Path) -> None:
    moment = np.ones(1_000_000, np.float32)
    state = ServerState(steps=1, momentum=moment, second=moment)
    tracemalloc.start()

    write_state(tmp_path / "state.npz", state)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < moment.nbytes / 4


def test_a_state_that_the_disk_does_not_take_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="cannot be written"):
        write_state(tmp_path / "gone" / "state.npz", ServerState())
