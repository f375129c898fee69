"""Updates lie on disk as they came, bounded, and are read back a piece at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from common.errors import ConflictError, NotFoundError
from common.rounds import Packing
from models.federated.codec import UpdateError, UpdateFault, pack
from models.federated.spool import UpdatesInMemory, UpdateSpool
from tests.fakes.made_up_updates import honest_deltas, small_layout

pytestmark = pytest.mark.unit

LAYOUT = small_layout()
DELTA = honest_deltas(LAYOUT, 1, agreement=0)["camera-00"]
DATA = pack(DELTA, packing=Packing.FP32, layout=LAYOUT).data


def test_what_was_put_is_what_is_read(tmp_path: Path) -> None:
    spool = UpdateSpool(tmp_path / "round", LAYOUT)

    digest = spool.put("a", DATA)

    assert digest == hashlib.sha256(DATA).hexdigest()
    assert spool.data("a") == DATA
    np.testing.assert_array_equal(spool.vector("a"), DELTA)
    np.testing.assert_array_equal(spool.stretch("a", slice(7, 30)), DELTA[7:30])
    np.testing.assert_array_equal(np.concatenate([v for _, v in spool.blocks("a")]), DELTA)


def test_an_update_sent_again_replaces_the_first(tmp_path: Path) -> None:
    spool = UpdateSpool(tmp_path / "round", LAYOUT)
    spool.put("a", DATA)
    spool.stretch("a", slice(0, 3))

    spool.put("a", pack(2 * DELTA, packing=Packing.FP32, layout=LAYOUT).data)

    np.testing.assert_array_equal(spool.stretch("a", slice(0, 3)), 2 * DELTA[:3])
    assert spool.clients() == ("a",)


def test_a_spool_that_was_left_is_found_again(tmp_path: Path) -> None:
    UpdateSpool(tmp_path / "round", LAYOUT).put("a", DATA)

    again = UpdateSpool(tmp_path / "round", LAYOUT)

    assert again.clients() == ("a",)
    assert again.data("a") == DATA


def test_an_update_too_long_never_touches_the_disk(tmp_path: Path) -> None:
    spool = UpdateSpool(tmp_path / "round", LAYOUT, most_update_bytes=100)

    with pytest.raises(UpdateError) as caught:
        spool.put("a", bytes(101))

    assert caught.value.reason is UpdateFault.TOO_BIG
    assert list((tmp_path / "round").iterdir()) == []


def test_a_round_holds_no_more_than_it_may(tmp_path: Path) -> None:
    spool = UpdateSpool(tmp_path / "round", LAYOUT, most_bytes=250)
    spool.put("a", bytes(100))
    spool.put("b", bytes(100))
    spool.put("b", bytes(150))

    with pytest.raises(ConflictError, match="round holds 250 bytes"):
        spool.put("c", bytes(100))

    assert spool.clients() == ("a", "b")


@pytest.mark.parametrize("name", ["../plan", "a/b", "", ".hidden", "a\n"])
def test_a_name_that_is_no_device_never_becomes_a_file(name: str, tmp_path: Path) -> None:
    spool = UpdateSpool(tmp_path / "round", LAYOUT)

    with pytest.raises(ValueError, match="not a name"):
        spool.put(name, DATA)


def test_nobody_else_can_read_updates(tmp_path: Path) -> None:
    spool = UpdateSpool(tmp_path / "round", LAYOUT)
    spool.put("a", DATA)

    assert (tmp_path / "round").stat().st_mode & 0o077 == 0


def test_nothing_is_left_after_the_round(tmp_path: Path) -> None:
    spool = UpdateSpool(tmp_path / "round", LAYOUT)
    spool.put("a", DATA)
    spool.stretch("a", slice(0, 3))

    spool.clear()

    assert not (tmp_path / "round").exists()


def test_who_sent_nothing_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no update of a"):
        UpdateSpool(tmp_path / "round", LAYOUT).vector("a")


def test_updates_in_memory_read_the_same() -> None:
    updates = UpdatesInMemory(LAYOUT, {"a": DELTA})

    np.testing.assert_array_equal(updates.vector("a"), DELTA)
    np.testing.assert_array_equal(updates.stretch("a", slice(2, 5)), DELTA[2:5])
    assert [start for start, _ in updates.blocks("a")] == [0]
