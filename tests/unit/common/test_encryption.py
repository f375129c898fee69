from __future__ import annotations

import hashlib
import logging
import threading
from datetime import UTC, datetime

import pytest
import structlog
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from common import encryption
from common.encryption import (
    MOST_ENVELOPE_BYTES,
    MOST_PAYLOAD_BYTES,
    EncryptionManager,
    Envelope,
    EnvelopeError,
    Header,
    Reason,
    SigningKey,
    parse_envelope,
    verify_envelope,
)
from common.envelope import header_to_json, signed_envelope
from common.wire import ClockState, Kind
from tests.unit.common.sealed_reports import (
    PAYLOAD,
    box,
    coordinator,
    header,
    opening,
    sealed,
    signing,
)

pytestmark = pytest.mark.unit


def reason_of(manager: EncryptionManager, envelope: Envelope) -> Reason:
    with pytest.raises(EnvelopeError) as caught:
        manager.open(envelope)
    return caught.value.reason


def envelope_of(packed: bytes) -> Envelope:
    """An envelope of a box that compressed in its own way."""
    full = Header.of(header(), sealed_to=opening().key_id, signed_by=signing().key_id)
    header_json = header_to_json(full)
    body = encryption._SUITE.encrypt(
        packed, opening().public.key, info=encryption._info(header_json)
    )
    return parse_envelope(signed_envelope(header_json, body, signing()))


@given(
    payload=st.binary(max_size=20_000),
    kind=st.sampled_from(Kind),
    clock=st.sampled_from(ClockState),
    epoch=st.integers(1, 2**62),
    sequence=st.integers(1, 2**62),
    created_at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),  # noqa: DTZ001 - hypothesis wants it naive
)
def test_what_was_sealed_opens(
    payload: bytes, kind: Kind, clock: ClockState, epoch: int, sequence: int, created_at: datetime
) -> None:
    told = header(kind=kind, clock=clock, epoch=epoch, sequence=sequence, created_at=created_at)

    envelope = parse_envelope(box().seal(told, payload))

    verify_envelope(envelope, signing().public)
    assert coordinator().open(envelope) == payload
    assert envelope.header.model_dump(include=set(told.model_dump())) == told.model_dump()


def test_two_seals_of_one_report_share_nothing_but_the_header() -> None:
    first, second = (parse_envelope(box().seal(header(), PAYLOAD)) for _ in range(2))

    assert first.header_json == second.header_json
    assert bytes(first.body) != bytes(second.body)


@given(st.data())
def test_a_changed_body_does_not_open_even_when_it_is_signed_anew(data: st.DataObject) -> None:
    whole = parse_envelope(sealed())
    body = bytearray(whole.body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    forged = parse_envelope(signed_envelope(whole.header_json, bytes(body), signing()))

    assert reason_of(coordinator(), forged) is Reason.CANNOT_OPEN


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sequence": 18}, id="another sequence"),
        pytest.param({"epoch": 4}, id="another stream"),
        pytest.param({"device": "box-2"}, id="another box"),
        pytest.param({"kind": Kind.LOSS}, id="another kind"),
    ],
)
def test_a_body_does_not_open_under_another_header(change: dict[str, object]) -> None:
    whole = parse_envelope(sealed())
    told = Header.of(header(**change), sealed_to=opening().key_id, signed_by=signing().key_id)
    moved = parse_envelope(signed_envelope(header_to_json(told), bytes(whole.body), signing()))

    assert reason_of(coordinator(), moved) is Reason.CANNOT_OPEN


def test_a_recipient_that_the_header_does_not_name_is_told_so() -> None:
    stranger = EncryptionManager(opening=[opening(2)])

    assert reason_of(stranger, parse_envelope(sealed())) is Reason.UNKNOWN_KEY


def test_a_header_that_names_the_wrong_recipient_opens_nothing() -> None:
    whole = parse_envelope(sealed())
    told = Header.of(header(), sealed_to=opening(2).key_id, signed_by=signing().key_id)
    forged = parse_envelope(signed_envelope(header_to_json(told), bytes(whole.body), signing()))
    both = EncryptionManager(opening=[opening(), opening(2)])

    assert reason_of(both, forged) is Reason.CANNOT_OPEN


def test_reports_to_the_old_and_the_new_key_open_while_both_are_kept() -> None:
    next_box = EncryptionManager(signing=SigningKey.generate(), sealing=opening(2).public)
    in_flight = [parse_envelope(one.seal(header(), PAYLOAD)) for one in (box(), next_box)]

    during = EncryptionManager(opening=[opening(), opening(2)])
    after = EncryptionManager(opening=[opening(2)])

    assert [during.open(envelope) for envelope in in_flight] == [PAYLOAD, PAYLOAD]
    assert after.open(in_flight[1]) == PAYLOAD
    assert reason_of(after, in_flight[0]) is Reason.UNKNOWN_KEY


def test_the_biggest_payload_fits_and_one_byte_more_does_not() -> None:
    most = b"7" * MOST_PAYLOAD_BYTES

    assert coordinator().open(parse_envelope(box().seal(header(), most))) == most
    with pytest.raises(ValueError, match="payload of 262145 bytes"):
        box().seal(header(), most + b"7")


def test_what_does_not_fit_into_an_envelope_is_not_sealed() -> None:
    incompressible = hashlib.shake_256(b"noise").digest(MOST_ENVELOPE_BYTES)

    with pytest.raises(ValueError, match="split the report"):
        box().seal(header(), incompressible)


def test_sealing_needs_both_keys() -> None:
    with pytest.raises(ValueError, match="signing key and a sealing key"):
        EncryptionManager(signing=signing()).seal(header(), PAYLOAD)


def bomb() -> bytes:
    """A gigabyte of zeros in some 32 KB, the size told."""
    packer = zstandard.ZstdCompressor(level=19).compressobj(size=2**30)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(2**10)) + packer.flush()


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        pytest.param(
            zstandard.compress(bytes(MOST_PAYLOAD_BYTES + 1)),
            Reason.TOO_BIG_INSIDE,
            id="a byte over",
        ),
        pytest.param(
            # Descriptor and eight bytes of size: the frame ends before its first block.
            bytes.fromhex("28b52ffde0") + (2**63).to_bytes(8, "little"),
            Reason.TOO_BIG_INSIDE,
            id="claims exabytes",
        ),
        pytest.param(
            zstandard.ZstdCompressor(write_content_size=False).compress(bytes(9)),
            Reason.CANNOT_OPEN,
            id="no size",
        ),
        pytest.param(b"", Reason.CANNOT_OPEN, id="empty"),
        pytest.param(PAYLOAD, Reason.CANNOT_OPEN, id="not compressed"),
        pytest.param(zstandard.compress(PAYLOAD)[:-1], Reason.CANNOT_OPEN, id="cut"),
        pytest.param(zstandard.compress(PAYLOAD) + b"!", Reason.CANNOT_OPEN, id="a byte follows"),
        pytest.param(
            zstandard.compress(PAYLOAD) * 2, Reason.CANNOT_OPEN, id="a second frame follows"
        ),
        pytest.param(
            bytes.fromhex("28b52ffd2005") + zstandard.compress(bytes(200))[7:],
            Reason.CANNOT_OPEN,
            id="more inside than told",
        ),
    ],
)
def test_a_body_is_one_frame_of_a_size_that_is_told_and_bounded(
    packed: bytes, reason: Reason
) -> None:
    assert reason_of(coordinator(), envelope_of(packed)) is reason


def test_a_gigabyte_in_a_small_frame_is_refused_by_its_announcement() -> None:
    packed = bomb()

    assert len(packed) < 40_000
    assert reason_of(coordinator(), envelope_of(packed)) is Reason.TOO_BIG_INSIDE


def test_many_threads_share_one_manager() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(20):
            payload = f'{{"thread":{number},"turn":{turn}}}'.encode() * 50
            envelope = parse_envelope(box().seal(header(sequence=turn + 1), payload))
            if coordinator().open(envelope) != payload:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_nothing_shows_a_payload_or_a_private_key(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    canary = b"CANARY-4711"

    data = box().seal(header(), canary)
    envelope = parse_envelope(data)
    opened = coordinator().open(envelope)
    stranger = EncryptionManager(opening=[opening(2)])
    with pytest.raises(EnvelopeError) as caught:
        stranger.open(envelope)

    shown = f"{envelope!r} {box()!r} {signing()!r} {opening()!r} {caught.value!r} {caught.value}"
    shown += caplog.text + "".join(capsys.readouterr())
    secrets = [canary, signing()._key.private_bytes_raw(), opening()._mlkem.private_bytes_raw()]
    assert opened == canary
    for secret in secrets:
        assert secret not in data
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
