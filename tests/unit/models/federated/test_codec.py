"""A delta travels small, comes back close, and nothing that is not one gets through."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from common.rounds import Packing
from models.federated.codec import UpdateError, UpdateFault, blocks, pack, unpack
from models.federated.parameters import F32, layout_of
from tests.fakes.made_up_updates import honest_deltas, small_layout

pytestmark = pytest.mark.unit

LAYOUT = small_layout()
DELTA = honest_deltas(LAYOUT, 1, agreement=0)["camera-00"]
HEAD = struct.Struct(">4sBBII32s")


def packed(packing: Packing, delta: F32 = DELTA) -> bytes:
    return pack(delta, packing=packing, layout=LAYOUT).data


def with_head(data: bytes, **changes: object) -> bytes:
    names = ("magic", "version", "packing", "arrays", "values", "digest")
    head = dict(zip(names, HEAD.unpack_from(data), strict=True)) | changes
    return HEAD.pack(*head.values()) + data[HEAD.size :]


def reason_of(data: bytes, *, most_bytes: int = 10**6) -> UpdateFault:
    with pytest.raises(UpdateError) as caught:
        unpack(data, LAYOUT, most_bytes=most_bytes)
    return caught.value.reason


@pytest.mark.parametrize(
    ("packing", "most_lost"),
    [
        pytest.param(Packing.FP32, 0.0, id="exact"),
        pytest.param(Packing.FP16, 0.0005, id="halves"),
        pytest.param(Packing.INT8, 0.15, id="steps"),
    ],
)
def test_what_comes_back_is_close(packing: Packing, most_lost: float) -> None:
    found = unpack(packed(packing), LAYOUT)

    assert np.linalg.norm(found - DELTA) <= most_lost * np.linalg.norm(DELTA)


def test_steps_travel_in_hardly_more_than_their_entropy() -> None:
    layout = layout_of({"a": np.zeros(400_000, np.float32)})
    delta = np.random.default_rng(0).standard_normal(layout.size, dtype=np.float32)

    sent = pack(delta, packing=Packing.INT8, layout=layout)

    # log2(sqrt(2 pi e) / 0.3) = 3.78 bits: 1.24 MB for the 2.6 million values of YOLO11n.
    assert 3.78 < 8 * len(sent.data) / layout.size < 3.85


@pytest.mark.parametrize("packing", Packing)
def test_what_did_not_travel_is_the_residual(packing: Packing) -> None:
    sent = pack(DELTA, packing=packing, layout=LAYOUT)

    np.testing.assert_allclose(unpack(sent.data, LAYOUT) + sent.residual, DELTA, atol=1e-9)


def test_with_the_residual_fed_back_no_part_of_a_constant_delta_stays_behind() -> None:
    # Values below half a step never travel alone; after ten rounds all but one step has.
    constant = DELTA.copy()
    residual, arrived = None, np.zeros_like(DELTA)

    for _ in range(10):
        sent = pack(constant, packing=Packing.INT8, layout=LAYOUT, residual=residual)
        residual = sent.residual
        arrived += unpack(sent.data, LAYOUT)

    lost = np.linalg.norm(arrived - 10 * constant) / np.linalg.norm(10 * constant)
    assert lost < 0.02


def test_a_layer_that_did_not_move_costs_nothing_and_stays_zero() -> None:
    delta = DELTA.copy()
    delta[LAYOUT.entries[0].place] = 0

    found = unpack(packed(Packing.INT8, delta), LAYOUT)

    assert not found[LAYOUT.entries[0].place].any()


@pytest.mark.parametrize(
    "size", [pytest.param(1e-12, id="tiny"), pytest.param(1e8, id="beyond the range of float16")]
)
@pytest.mark.parametrize("packing", [Packing.FP16, Packing.INT8])
def test_neither_tiny_nor_long_deltas_leave_the_format(packing: Packing, size: float) -> None:
    delta = (DELTA * size).astype(np.float32)

    found = unpack(packed(packing, delta), LAYOUT)

    assert np.linalg.norm(found - delta) < 0.15 * np.linalg.norm(delta)


@pytest.mark.parametrize("packing", Packing)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_training_is_not_packed(packing: Packing, value: float) -> None:
    delta = DELTA.copy()
    delta[7] = value

    with pytest.raises(UpdateError) as caught:
        packed(packing, delta)

    assert caught.value.reason is UpdateFault.NOT_FINITE


def test_packing_is_the_same_every_time() -> None:
    assert packed(Packing.INT8) == packed(Packing.INT8)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(b"", UpdateFault.TRUNCATED, id="nothing"),
        pytest.param(packed(Packing.INT8)[:20], UpdateFault.TRUNCATED, id="half a head"),
        pytest.param(packed(Packing.FP32)[:-1], UpdateFault.TRUNCATED, id="a byte short"),
        pytest.param(packed(Packing.FP16) + b"\0", UpdateFault.TOO_BIG, id="a byte more"),
        pytest.param(packed(Packing.INT8)[:-9], UpdateFault.MALFORMED, id="frame cut"),
        pytest.param(packed(Packing.INT8) + b"\0", UpdateFault.MALFORMED, id="frame and more"),
        pytest.param(
            with_head(packed(Packing.INT8), magic=b"PK\3\4"), UpdateFault.MALFORMED, id="a zip"
        ),
        pytest.param(
            with_head(packed(Packing.INT8), version=2), UpdateFault.BAD_VERSION, id="newer"
        ),
        pytest.param(
            with_head(packed(Packing.INT8), packing=9), UpdateFault.BAD_VERSION, id="packing"
        ),
        pytest.param(
            with_head(packed(Packing.INT8), digest=bytes(32)), UpdateFault.OTHER_LAYOUT, id="layout"
        ),
        pytest.param(
            with_head(packed(Packing.INT8), values=2**32 - 1),
            UpdateFault.OTHER_LAYOUT,
            id="four billion values",
        ),
    ],
)
def test_what_is_no_update_is_refused_with_a_reason(bad: bytes, reason: UpdateFault) -> None:
    assert reason_of(bad) is reason


def test_an_update_longer_than_allowed_is_refused_unread() -> None:
    assert reason_of(packed(Packing.FP32), most_bytes=1000) is UpdateFault.TOO_BIG


def test_a_bomb_is_refused_by_what_it_announces() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))

    assert len(bomb) < 10_000
    assert reason_of(packed(Packing.INT8)[: HEAD.size] + bomb) is UpdateFault.TOO_BIG


def test_a_frame_with_too_few_values_is_refused() -> None:
    frame = zstandard.ZstdCompressor().compress(bytes(100))

    assert reason_of(packed(Packing.INT8)[: HEAD.size] + frame) is UpdateFault.TRUNCATED


@pytest.mark.parametrize("step", [np.nan, np.inf, -1.0, 3e38])
def test_a_step_that_is_no_length_is_refused(step: float) -> None:
    body = np.full(len(LAYOUT.entries), step, "<f4").tobytes() + bytes(LAYOUT.size)
    frame = zstandard.ZstdCompressor().compress(body)

    assert reason_of(packed(Packing.INT8)[: HEAD.size] + frame) is UpdateFault.NOT_FINITE


def test_an_update_of_another_network_is_refused() -> None:
    other = layout_of({"w": np.zeros(3, np.float32)})
    data = pack(np.ones(3, np.float32), packing=Packing.FP32, layout=other).data

    assert reason_of(data) is UpdateFault.OTHER_LAYOUT


@pytest.mark.parametrize("packing", Packing)
def test_pieces_cover_every_value_once_and_in_order(packing: Packing) -> None:
    pieces = list(blocks(packed(packing), LAYOUT))

    ends = [start + values.size for start, values in pieces]
    assert [start for start, _ in pieces] == [0, *ends[:-1]]
    assert ends[-1] == LAYOUT.size


@given(st.binary(max_size=300))
def test_no_bytes_behind_a_good_head_do_anything_but_refuse(body: bytes) -> None:
    for packing in Packing:
        with pytest.raises(UpdateError):
            unpack(packed(packing)[: HEAD.size] + body, LAYOUT)


@given(st.sampled_from(list(Packing)), st.data())
def test_a_flipped_bit_gives_another_update_or_a_reason(
    packing: Packing, data: st.DataObject
) -> None:
    whole = bytearray(packed(packing))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))

    found: F32 | None = None
    with suppress(UpdateError):
        found = unpack(bytes(whole), LAYOUT)

    assert found is None or found.shape == (LAYOUT.size,)


def test_a_delta_of_another_length_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="expected"):
        pack(DELTA[:-1], packing=Packing.INT8, layout=LAYOUT)
