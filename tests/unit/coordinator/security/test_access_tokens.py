"""Access tokens: what we issued holds for five minutes, and nothing else ever does."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from common.encryption import SigningKey
from common.errors import ConfigError, TrustError
from coordinator.security.access_tokens import AccessClaims, AccessTokens, ForgedTokenError
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit
CLAIMS = AccessClaims(account_id="a1", session_id="s1")


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(datetime(2026, 3, 14, 12, tzinfo=UTC))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "access-tokens.pem"


@pytest.fixture
def tokens(key_file: Path, clock: StandingClock) -> AccessTokens:
    return AccessTokens(key_file, tenant="city", clock=clock)


def parts(text: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, payload, signature = text.split(".")
    return json.loads(_raw(header)), json.loads(_raw(payload)), signature


def text_of(header: dict[str, Any], payload: dict[str, Any], signature: str) -> str:
    return ".".join((_text(header), _text(payload), signature))


def test_a_token_says_whose_session_it_is_for_five_minutes(
    tokens: AccessTokens, clock: StandingClock
) -> None:
    token = tokens.issue(CLAIMS)
    clock.move(299)
    assert tokens.read(token.text) == CLAIMS
    clock.move(1)

    with pytest.raises(TrustError) as refused:
        tokens.read(token.text)
    assert not isinstance(refused.value, ForgedTokenError)


def test_every_token_is_another(tokens: AccessTokens) -> None:
    _, first, _ = parts(tokens.issue(CLAIMS).text)
    _, second, _ = parts(tokens.issue(CLAIMS).text)

    assert first["jti"] != second["jti"]
    assert set(first) == {"iss", "aud", "sub", "sid", "jti", "iat", "exp"}


def test_the_key_rests_where_nobody_else_reads(tokens: AccessTokens, key_file: Path) -> None:
    del tokens
    assert key_file.stat().st_mode & 0o777 == 0o600
    key_file.chmod(0o644)

    with pytest.raises(ConfigError, match="mode 0644"):
        AccessTokens(key_file, tenant="city", clock=StandingClock(datetime.now(UTC)))


def test_processes_with_one_key_believe_each_other(
    tokens: AccessTokens, key_file: Path, clock: StandingClock
) -> None:
    again = AccessTokens(key_file, tenant="city", clock=clock)

    assert again.read(tokens.issue(CLAIMS).text) == CLAIMS


def test_unsigned_tokens_are_forged(tokens: AccessTokens) -> None:
    header, payload, _ = parts(tokens.issue(CLAIMS).text)
    for algorithm in ("none", "None", "NONE", ""):
        with pytest.raises(ForgedTokenError):
            tokens.read(text_of(header | {"alg": algorithm}, payload, ""))


def test_the_public_key_is_no_secret_to_sign_with(tokens: AccessTokens, key_file: Path) -> None:
    header, payload, _ = parts(tokens.issue(CLAIMS).text)
    public = load_pem_private_key(key_file.read_bytes(), None).public_key()
    for known in (
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        signed = f"{_text(header | {'alg': 'HS256'})}.{_text(payload)}"
        forged = hmac.digest(known, signed.encode(), "sha256")
        with pytest.raises(ForgedTokenError):
            tokens.read(f"{signed}.{base64.urlsafe_b64encode(forged).rstrip(b'=').decode()}")


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": "a2"}, {"sid": "s2"}, {"exp": 9_999_999_999}, {"aud": "somewhere"}, {"iss": "us"},
    ],
    ids=str,
)  # fmt: skip
def test_a_changed_claim_breaks_the_signature(
    tokens: AccessTokens, changed: dict[str, Any]
) -> None:
    header, payload, signature = parts(tokens.issue(CLAIMS).text)

    with pytest.raises(ForgedTokenError):
        tokens.read(text_of(header, payload | changed, signature))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"aud": "its-camera-ai/devices"}, id="for something else"),
        pytest.param({"iss": "its-camera-ai/town"}, id="of another tenant"),
        pytest.param({"sid": None}, id="without a session"),
        pytest.param({"exp": None}, id="without an end"),
        pytest.param({"exp": "soon"}, id="with an end that is none"),
    ],
)
def test_our_own_signature_under_something_else_is_refused(
    tokens: AccessTokens, key_file: Path, changed: dict[str, Any]
) -> None:
    header, payload, _ = parts(tokens.issue(CLAIMS).text)
    told = {name: value for name, value in (payload | changed).items() if value is not None}
    text = ours(key_file, told, header)

    with pytest.raises(ForgedTokenError):
        tokens.read(text)


def test_a_life_longer_than_ours_is_refused(
    tokens: AccessTokens, key_file: Path, clock: StandingClock
) -> None:
    header, payload, _ = parts(tokens.issue(CLAIMS).text)

    with pytest.raises(TrustError):
        tokens.read(ours(key_file, payload | {"exp": payload["exp"] + 1}, header))


@pytest.mark.parametrize(
    "changed", [{"kid": "0" * 16}, {"typ": "JWT"}, {"kid": "../../etc/passwd"}], ids=str
)
def test_tokens_of_another_kind_or_key_are_forged(
    tokens: AccessTokens, key_file: Path, changed: dict[str, Any]
) -> None:
    header, payload, _ = parts(tokens.issue(CLAIMS).text)

    with pytest.raises(ForgedTokenError):
        tokens.read(ours(key_file, payload, header | changed))


def test_a_foreign_key_under_our_name_is_forged(tokens: AccessTokens, tmp_path: Path) -> None:
    header, payload, _ = parts(tokens.issue(CLAIMS).text)
    foreign = tmp_path / "foreign.pem"
    SigningKey.generate().save(foreign)

    with pytest.raises(ForgedTokenError):
        tokens.read(ours(foreign, payload, header))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "a" * 5000, "é.é.é"])
def test_rubbish_is_forged(tokens: AccessTokens, text: str) -> None:
    with pytest.raises(ForgedTokenError):
        tokens.read(text)


def ours(key_file: Path, payload: dict[str, Any], header: dict[str, Any]) -> str:
    return jwt.encode(
        payload, load_pem_private_key(key_file.read_bytes(), None), "EdDSA", headers=header  # type: ignore[arg-type]
    )  # fmt: skip


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
