from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from common.certificates import make_csr, new_tls_key
from common.encryption import SigningKey, VerifyingKey
from common.enrolment import (
    EnrolmentRequest,
    EnrolmentToken,
    KeyNote,
    RenewalRequest,
    SignedRenewal,
    from_base64,
    key_note,
    proven_key,
    read_renewal,
    sign_renewal,
    to_base64,
)
from common.errors import ConfigError, TrustError
from tests.unit.common.sealed_reports import NOON, opening, signing

pytestmark = pytest.mark.unit

CSR = make_csr(new_tls_key(), "box-1").decode()
KEYS = {signing().key_id: signing().public}


def renewal(key: SigningKey, **changes: Any) -> RenewalRequest:
    fields: dict[str, Any] = {
        "device": "box-1",
        "csr_pem": CSR,
        "signing_key": to_base64(key.public.raw),
        "proof": to_base64(key.sign(CSR.encode())),
        "at": NOON,
    }
    return RenewalRequest.model_validate(fields | changes)


def read(signed: SignedRenewal, keys: dict[str, VerifyingKey] = KEYS) -> RenewalRequest:
    return read_renewal(signed, keys, device="box-1", now=NOON)


def test_a_token_is_one_line_that_hides_its_secret_from_logs() -> None:
    token = EnrolmentToken.generate("ab" * 32)

    text = token.to_text()

    assert EnrolmentToken.from_text(f" {text}\n") == token
    assert text.startswith("its1.")
    assert "\n" not in text
    assert token.secret not in repr(token)
    assert token.secret not in token.digest
    assert EnrolmentToken.generate("ab" * 32).secret != token.secret


@pytest.mark.parametrize("text", ["", "its1", "its1..", "its2." + "a" * 43 + "." + "0" * 64])
def test_other_text_is_no_token_and_is_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="expected its1") as caught:
        EnrolmentToken.from_text(text + "SECRET")

    assert "SECRET" not in str(caught.value)


def test_a_request_does_not_show_its_token() -> None:
    token = EnrolmentToken.generate("ab" * 32)
    fields = renewal(signing()).model_dump(include={"csr_pem", "signing_key", "proof"})

    request = EnrolmentRequest(token=token.secret, **fields)

    assert token.secret not in repr(request)
    assert proven_key(request) == signing().public


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"proof": to_base64(bytes(64))}, id="no proof"),
        pytest.param(
            {"signing_key": to_base64(SigningKey.generate().public.raw)}, id="somebody's key"
        ),
        pytest.param({"csr_pem": CSR + "\n"}, id="another request"),
        pytest.param({"signing_key": "AAAA"}, id="no key"),
        pytest.param({"proof": "AAAAA"}, id="no base64"),
    ],
)
def test_a_key_without_its_proof_is_not_taken(changes: dict[str, str]) -> None:
    with pytest.raises(TrustError):
        proven_key(renewal(signing(), **changes))


def test_a_renewal_is_read_back() -> None:
    following = SigningKey.generate()

    request = read(sign_renewal(signing(), renewal(following)))

    assert request == renewal(following)
    assert proven_key(request) == following.public


def test_a_renewal_survives_its_json() -> None:
    signed = sign_renewal(signing(), renewal(signing()))

    assert read(SignedRenewal.model_validate_json(signed.model_dump_json())) == renewal(signing())


@pytest.mark.parametrize(
    ("signed", "words"),
    [
        pytest.param(
            sign_renewal(SigningKey.generate(), renewal(signing())), "not in force", id="stranger"
        ),
        pytest.param(
            sign_renewal(signing(), renewal(signing(), device="box-2")),
            "expected 'box-1'",
            id="box",
        ),
        pytest.param(
            sign_renewal(signing(), renewal(signing(), at=NOON - timedelta(minutes=16))),
            "expected within",
            id="played back",
        ),
        pytest.param(
            sign_renewal(signing(), renewal(signing(), at=NOON + timedelta(minutes=16))),
            "expected within",
            id="from the future",
        ),
        pytest.param(
            sign_renewal(signing(), renewal(SigningKey.generate(), proof=to_base64(bytes(64)))),
            "does not hold",
            id="new key not proven",
        ),
    ],
)
def test_a_renewal_that_does_not_hold_is_refused(signed: SignedRenewal, words: str) -> None:
    with pytest.raises(TrustError, match=words):
        read(signed)


def test_a_changed_renewal_is_refused() -> None:
    signed = sign_renewal(signing(), renewal(signing()))
    text = signed.request.replace("2026", "2027")

    with pytest.raises(TrustError, match="does not hold"):
        read(signed.model_copy(update={"request": text}))


def test_a_signed_text_that_is_no_request_is_refused() -> None:
    signature = to_base64(signing().sign(b"its/v1 renewal\n{}"))
    signed = SignedRenewal(request="{}", signed_by=signing().key_id, signature=signature)

    with pytest.raises(TrustError, match="not valid"):
        read(signed)


def test_a_report_signature_is_no_renewal_signature() -> None:
    text = renewal(signing()).model_dump_json()
    signed = SignedRenewal(
        request=text,
        signed_by=signing().key_id,
        signature=to_base64(signing().sign(text.encode())),
    )

    with pytest.raises(TrustError, match="does not hold"):
        read(signed)


def test_a_key_note_travels_with_from() -> None:
    note = key_note(opening().public, datetime(2026, 5, 4, tzinfo=UTC))

    text = note.model_dump_json()

    assert '"from":"2026-05-04T00:00:00Z"' in text
    assert KeyNote.model_validate_json(text) == note
    assert from_base64(note.key) == opening().public.raw


def test_a_message_with_a_field_too_many_is_refused() -> None:
    fields = renewal(signing()).model_dump() | {"admin": True}

    with pytest.raises(ValidationError, match="admin"):
        RenewalRequest.model_validate(fields)
