from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.encryption import (
    EnvelopeError,
    Reason,
    SigningKey,
    parse_envelope,
    read_order,
    sign_order,
)
from common.signed_orders import MOST_ORDER_BYTES
from tests.unit.common.sealed_reports import sealed, signing

pytestmark = pytest.mark.unit

PAYLOAD = b'{"device":"box-1","epoch":3,"stored":[17]}'
KEYS = {signing().key_id: signing().public}
ORDER = sign_order(signing(), PAYLOAD)
OVERHEAD_BYTES = 17 + 64


def reason_of(data: bytes) -> Reason:
    with pytest.raises(EnvelopeError) as caught:
        read_order(data, KEYS)
    return caught.value.reason


@given(st.binary(max_size=5_000))
def test_an_order_is_read_back(payload: bytes) -> None:
    assert read_order(sign_order(signing(), payload), KEYS) == payload


def test_orders_of_the_old_and_the_next_key_are_read() -> None:
    following = SigningKey.generate()
    keys = KEYS | {following.key_id: following.public}

    assert read_order(ORDER, keys) == PAYLOAD
    assert read_order(sign_order(following, PAYLOAD), keys) == PAYLOAD


def test_an_order_that_is_cut_anywhere_is_truncated() -> None:
    assert {reason_of(ORDER[:end]) for end in range(len(ORDER))} == {Reason.TRUNCATED}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(ORDER + b"\0", Reason.MALFORMED, id="a byte follows"),
        pytest.param(sealed(), Reason.MALFORMED, id="an envelope"),
        pytest.param(b"ITSO\x02" + ORDER[5:], Reason.BAD_VERSION, id="version 2"),
        pytest.param(bytes(MOST_ORDER_BYTES + 1), Reason.OVERSIZE, id="too big"),
        pytest.param(
            sign_order(SigningKey.generate(), PAYLOAD), Reason.UNKNOWN_KEY, id="a stranger's"
        ),
        pytest.param(ORDER[:-1] + bytes([ORDER[-1] ^ 1]), Reason.BAD_SIGNATURE, id="signature"),
        pytest.param(ORDER.replace(b"17", b"18"), Reason.BAD_SIGNATURE, id="payload"),
    ],
)
def test_an_order_that_is_not_ours_is_refused(data: bytes, reason: Reason) -> None:
    assert reason_of(data) is reason


def test_no_bit_of_an_order_can_change() -> None:
    for at in range(len(ORDER)):
        changed = bytearray(ORDER)
        changed[at] ^= 1

        assert reason_of(bytes(changed)) in Reason


@given(st.binary(max_size=400))
def test_random_bytes_are_no_order(data: bytes) -> None:
    assert reason_of(data) in Reason
    assert reason_of(b"ITSO\x01" + data) in Reason


def test_an_order_is_no_envelope() -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_envelope(ORDER)

    assert caught.value.reason is Reason.MALFORMED


def test_the_biggest_order_fits_and_one_byte_more_does_not() -> None:
    most = bytes(MOST_ORDER_BYTES - OVERHEAD_BYTES)

    assert read_order(sign_order(signing(), most), KEYS) == most
    with pytest.raises(ValueError, match="order of 262145 bytes"):
        sign_order(signing(), most + b"\0")
