"""Tokens that we never gave: of other algorithms, keys, audiences and towns."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.security import Role
from tests.fakes.signed_in import sign_in
from tests.integration.security.attacks.conftest import Target, bearer, town

pytestmark = pytest.mark.integration

Forge = Callable[[dict[str, Any], dict[str, Any], Ed25519PrivateKey], str]


def encoded(facts: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(facts).encode()).rstrip(b"=").decode()


def unsigned(algorithm: str) -> Forge:
    return lambda header, claims, _key: f"{encoded(header | {'alg': algorithm})}.{encoded(claims)}."


def public_raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def by_public_key(header: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey) -> str:
    """The key that everybody may know, taken for a shared secret."""
    return jwt.encode(claims, public_raw(key), algorithm="HS256", headers=header)


def by_own_key(header: dict[str, Any], claims: dict[str, Any], _key: Ed25519PrivateKey) -> str:
    return jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=header)


def with_own_key_inside(
    header: dict[str, Any], claims: dict[str, Any], _key: Ed25519PrivateKey
) -> str:
    own = Ed25519PrivateKey.generate()
    told = base64.urlsafe_b64encode(public_raw(own)).rstrip(b"=").decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": told}
    return jwt.encode(claims, own, algorithm="EdDSA", headers=header | {"jwk": jwk})


def changed(**more: Any) -> Forge:
    """Signed with the coordinator's own key, and saying something else."""
    return lambda header, claims, key: jwt.encode(
        claims | more, key, algorithm="EdDSA", headers=header
    )


def headed(**more: Any) -> Forge:
    return lambda header, claims, key: jwt.encode(
        claims, key, algorithm="EdDSA", headers=header | more
    )


def lacking(name: str) -> Forge:
    return lambda header, claims, key: jwt.encode(
        {key_: value for key_, value in claims.items() if key_ != name},
        key,
        algorithm="EdDSA",
        headers=header,
    )


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(unsigned("none"), id="no algorithm"),
        pytest.param(unsigned("None"), id="no algorithm, spelt otherwise"),
        pytest.param(unsigned("EdDSA"), id="no signature"),
        pytest.param(by_public_key, id="the public key as a secret"),
        pytest.param(by_own_key, id="another key under our id"),
        pytest.param(with_own_key_inside, id="another key brought along"),
        pytest.param(headed(kid="0" * 16), id="a foreign key id"),
        pytest.param(headed(kid="../../keys/access-tokens.pem"), id="a path as key id"),
        pytest.param(headed(typ="JWT"), id="another kind of token"),
        pytest.param(changed(aud="its-camera-ai/devices"), id="another audience"),
        pytest.param(changed(aud=["x", "y"]), id="other audiences"),
        pytest.param(changed(iss="its-camera-ai/other-town"), id="another issuer"),
        pytest.param(changed(exp=2**40), id="for ever"),
        pytest.param(changed(exp="soon"), id="until soon"),
        pytest.param(changed(sid="0" * 32), id="another session"),
        pytest.param(changed(sub="0" * 32), id="another account"),
        *(
            pytest.param(lacking(name), id=f"without {name}")
            for name in ("iss", "aud", "sub", "sid", "jti", "iat", "exp")
        ),
    ],
)
def test_a_forged_token_is_nobodys(target: Target, forge: Forge) -> None:
    good = sign_in(target.container, Role.ADMIN).bearer["Authorization"].removeprefix("Bearer ")
    header = jwt.get_unverified_header(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    key = serialization.load_pem_private_key(
        (target.folder / "keys" / "access-tokens.pem").read_bytes(), password=None
    )
    assert isinstance(key, Ed25519PrivateKey)

    forged = forge({name: header[name] for name in ("kid", "typ")}, claims, key)

    assert target.ask("GET", "/api/v1/users", headers=bearer(good)).status_code == 200
    assert target.ask("GET", "/api/v1/users", headers=bearer(forged)).status_code == 401


def test_forging_is_seen(target: Target) -> None:
    for number in range(5):
        token = f"{encoded({'alg': 'none'})}.{encoded({'n': number})}."
        assert target.ask("GET", "/api/v1/users", headers=bearer(token)).status_code == 401

    assert target.alerts() == {"forged_credentials": "high"}


def test_a_token_of_another_town_on_the_same_keys_is_nobodys(target: Target) -> None:
    other = town("other-town", target.folder, target.clock)
    stranger = sign_in(other, Role.ADMIN)
    other.database().close()

    assert target.ask("GET", "/api/v1/users", headers=stranger.bearer).status_code == 401
