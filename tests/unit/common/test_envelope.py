from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from common.encryption import (
    MOST_ENVELOPE_BYTES,
    EnvelopeError,
    Reason,
    SigningKey,
    parse_envelope,
    verify_envelope,
)
from common.errors import TrustError
from tests.unit.common.sealed_reports import NOON, box, header, sealed, signing

pytestmark = pytest.mark.unit

PREFIX_BYTES = 11
SIGNATURE_BYTES = 64


def reason_of(data: bytes) -> Reason:
    with pytest.raises(EnvelopeError) as caught:
        parse_envelope(data)
    return caught.value.reason


def with_header(header_json: bytes) -> bytes:
    """The envelope in order with another header, its length told rightly."""
    old = parse_envelope(sealed())
    lengths = len(header_json).to_bytes(2, "big") + len(old.body).to_bytes(4, "big")
    return b"ITSE\x01" + lengths + header_json + bytes(old.body) + old.signature


def changed_header(**changes: object) -> bytes:
    """Header JSON in canonical spelling, apart from the changed fields."""
    fields = json.loads(parse_envelope(sealed()).header_json) | changes
    return json.dumps(fields, separators=(",", ":")).encode()


def test_an_envelope_is_read_back() -> None:
    envelope = parse_envelope(sealed())

    verify_envelope(envelope, signing().public)
    told = envelope.header
    assert (told.device, told.kind, told.epoch, told.sequence) == ("box-1", "bins", 3, 17)
    assert (told.created_at, told.clock, told.version) == (NOON, "trusted", 1)
    assert (told.sealed_to, told.signed_by) == (box().sealed_to, box().signed_by)
    assert bytes(envelope.signed_part) + envelope.signature == sealed()


def test_an_envelope_that_is_cut_anywhere_is_truncated() -> None:
    reasons = {reason_of(sealed()[:end]) for end in range(len(sealed()))}

    assert reasons == {Reason.TRUNCATED}


def test_a_header_of_another_spelling_would_be_accepted_if_it_were_canonical() -> None:
    # Guards the table below: what it changes is all that is wrong with those headers.
    assert parse_envelope(with_header(changed_header())).header.sequence == 17


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(sealed() + b"\0", Reason.MALFORMED, id="a byte follows"),
        pytest.param(b"ITSO" + sealed()[4:], Reason.MALFORMED, id="magic of an order"),
        pytest.param(b"\x00" * 100, Reason.MALFORMED, id="zeros"),
        pytest.param(b"ITSE\x02" + sealed()[5:], Reason.BAD_VERSION, id="frame of version 2"),
        pytest.param(b"ITSE\x00", Reason.BAD_VERSION, id="frame of version 0, and short"),
        pytest.param(bytes(MOST_ENVELOPE_BYTES + 1), Reason.OVERSIZE, id="a byte too big"),
        pytest.param(
            sealed()[:5] + b"\xff\xff" + sealed()[7:], Reason.OVERSIZE, id="header of 65,535"
        ),
        pytest.param(
            sealed()[:7] + b"\xff\xff\xff\xff" + sealed()[11:], Reason.OVERSIZE, id="body of 4 GiB"
        ),
        pytest.param(
            sealed()[:7] + b"\0\0\4\0" + sealed()[11:], Reason.MALFORMED, id="body below HPKE's"
        ),
    ],
)
def test_a_frame_that_is_not_ours_is_refused(data: bytes, reason: Reason) -> None:
    assert reason_of(data) is reason


@pytest.mark.parametrize(
    ("header_json", "reason"),
    [
        pytest.param(b"", Reason.MALFORMED, id="empty"),
        pytest.param(b"[]", Reason.MALFORMED, id="a list"),
        pytest.param(b"{" * 500, Reason.MALFORMED, id="deep"),
        pytest.param(b"\xff\xfe", Reason.MALFORMED, id="not UTF-8"),
        pytest.param(changed_header(version=2), Reason.BAD_VERSION, id="version 2"),
        pytest.param(changed_header(sequence=0), Reason.MALFORMED, id="sequence 0"),
        pytest.param(changed_header(epoch=2**62 + 1), Reason.MALFORMED, id="epoch too big"),
        pytest.param(changed_header(device="a/b"), Reason.MALFORMED, id="device that is no slug"),
        pytest.param(changed_header(device="a\n"), Reason.MALFORMED, id="device with a new line"),
        pytest.param(changed_header(kind="picture"), Reason.MALFORMED, id="unknown kind"),
        pytest.param(changed_header(extra=1), Reason.MALFORMED, id="a field too many"),
        pytest.param(changed_header(sealed_to="A" * 16), Reason.MALFORMED, id="key id upper case"),
        pytest.param(
            changed_header(created_at="2026-05-04T14:00:00+02:00"),
            Reason.MALFORMED,
            id="local time",
        ),
        pytest.param(
            changed_header(created_at="2026-05-04T12:00:00"), Reason.MALFORMED, id="no time zone"
        ),
        pytest.param(
            changed_header(created_at="2026-05-04T12:00:00+00:00"),
            Reason.NOT_CANONICAL,
            id="+00:00 for Z",
        ),
        pytest.param(
            changed_header(created_at=1777896000), Reason.NOT_CANONICAL, id="seconds since 1970"
        ),
        pytest.param(changed_header(sequence="17"), Reason.NOT_CANONICAL, id="number as text"),
        pytest.param(changed_header() + b" ", Reason.NOT_CANONICAL, id="a space"),
        pytest.param(
            changed_header().replace(b'{"device"', b'{"device":"box-1","device"'),
            Reason.NOT_CANONICAL,
            id="a key twice",
        ),
        pytest.param(
            changed_header().replace(b"box-1", rb"bo\u0078-1"), Reason.NOT_CANONICAL, id="escape"
        ),
    ],
)
def test_a_header_that_is_not_ours_is_refused(header_json: bytes, reason: Reason) -> None:
    assert reason_of(with_header(header_json)) is reason


def test_a_header_in_another_order_is_not_canonical() -> None:
    fields = json.loads(changed_header())
    backwards = dict(reversed(fields.items()))

    reason = reason_of(with_header(json.dumps(backwards, separators=(",", ":")).encode()))

    assert reason is Reason.NOT_CANONICAL


def test_a_refusal_tells_no_value_of_a_stranger() -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_envelope(with_header(changed_header(device="<script>")))

    assert "device" in str(caught.value)
    assert "script" not in str(caught.value)


@given(st.binary(max_size=2_000))
def test_random_bytes_are_refused_with_a_reason(data: bytes) -> None:
    assert reason_of(data) in Reason


@given(st.data())
def test_no_byte_of_an_envelope_can_change(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sealed()) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = bytearray(sealed())
    changed[at] ^= flip

    with pytest.raises(EnvelopeError):
        verify_envelope(parse_envelope(bytes(changed)), signing().public)


def test_each_single_bit_is_covered_by_the_signature() -> None:
    refused = 0
    for at in range(len(sealed())):
        changed = bytearray(sealed())
        changed[at] ^= 1
        try:
            verify_envelope(parse_envelope(bytes(changed)), signing().public)
        except EnvelopeError:
            refused += 1

    assert refused == len(sealed())


def test_another_key_than_the_header_names_is_unknown() -> None:
    with pytest.raises(EnvelopeError) as caught:
        verify_envelope(parse_envelope(sealed()), SigningKey.generate().public)

    assert caught.value.reason is Reason.UNKNOWN_KEY


def test_a_changed_signature_is_bad() -> None:
    data = sealed()[:-1] + bytes([sealed()[-1] ^ 1])

    with pytest.raises(EnvelopeError) as caught:
        verify_envelope(parse_envelope(data), signing().public)

    assert caught.value.reason is Reason.BAD_SIGNATURE
    assert isinstance(caught.value, TrustError)


def test_a_report_is_made_in_utc() -> None:
    summer = timezone(timedelta(hours=2))

    with pytest.raises(ValidationError, match="not in UTC"):
        header(created_at=datetime(2026, 5, 4, 14, tzinfo=summer))
    assert header(created_at=datetime(2026, 5, 4, 12, tzinfo=UTC)).created_at == NOON
