from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from common.certificates import tls_key_to_pem
from common.encryption import OpeningKey, SealingKey, SigningKey, VerifyingKey
from common.errors import ConfigError, TrustError
from tests.unit.common.sealed_reports import opening, signing

pytestmark = pytest.mark.unit


def test_a_signing_key_survives_its_file(tmp_path: Path) -> None:
    signing().save(tmp_path / "signing.key")

    loaded = SigningKey.load(tmp_path / "signing.key")

    loaded.public.verify(b"report", signing().sign(b"report"))
    assert loaded.key_id == signing().key_id
    assert loaded.public == signing().public


def test_an_opening_key_survives_its_file(tmp_path: Path) -> None:
    opening().save(tmp_path / "opening.key")

    loaded = OpeningKey.load(tmp_path / "opening.key")

    assert loaded.public == opening().public
    assert (tmp_path / "opening.key").read_bytes().count(b"BEGIN PRIVATE KEY") == 2


@pytest.mark.parametrize("make", [SigningKey.generate, OpeningKey.generate])
def test_a_key_file_is_for_its_owner_alone(
    tmp_path: Path, make: Callable[[], SigningKey | OpeningKey]
) -> None:
    path = tmp_path / "a.key"
    make().save(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_a_key_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.key"
    signing().save(path)
    path.chmod(mode)

    with pytest.raises(ConfigError, match=f"mode 0{mode:o}, expected 0600"):
        SigningKey.load(path)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", id="rubbish"
        ),
        pytest.param(tls_key_to_pem(generate_private_key(SECP256R1())), id="a TLS key"),
    ],
)
def test_a_file_that_holds_no_such_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(content)
    path.chmod(0o600)

    for kind in (SigningKey, OpeningKey):
        with pytest.raises(ConfigError):
            kind.load(path)


def test_the_halves_of_an_opening_key_have_an_order(tmp_path: Path) -> None:
    path = tmp_path / "opening.key"
    opening().save(path)
    first, second = path.read_bytes().split(b"-----END PRIVATE KEY-----\n", 1)
    path.write_bytes(second + first + b"-----END PRIVATE KEY-----\n")

    with pytest.raises(ConfigError, match="ML-KEM-768"):
        OpeningKey.load(path)


def test_keys_go_over_the_wire_as_raw_bytes() -> None:
    verifying = VerifyingKey.from_bytes(signing().public.raw)
    sealing = SealingKey.from_bytes(opening().public.raw)

    assert verifying == signing().public
    assert sealing == opening().public
    assert (len(verifying.raw), len(sealing.raw)) == (32, 1216)
    assert len({verifying, signing().public, sealing, opening().public}) == 2
    assert verifying != sealing


def test_a_key_is_named_by_the_hash_of_its_raw_bytes() -> None:
    expected = hashlib.sha256(signing().public.raw).hexdigest()[:16]

    assert signing().key_id == signing().public.key_id == expected
    assert opening().key_id == hashlib.sha256(opening().public.raw).hexdigest()[:16]


@pytest.mark.parametrize("size", [0, 31, 33, 1184, 1215, 1217])
def test_bytes_that_are_no_key_are_not_trusted(size: int) -> None:
    for kind in (VerifyingKey, SealingKey):
        with pytest.raises(TrustError, match=f"key of {size} bytes"):
            kind.from_bytes(bytes(size))


@pytest.mark.parametrize(
    ("data", "signature"),
    [
        pytest.param(b"other", signing().sign(b"report"), id="other data"),
        pytest.param(b"report", SigningKey.generate().sign(b"report"), id="other key"),
        pytest.param(b"report", bytes(64), id="zeros"),
        pytest.param(b"report", b"", id="empty"),
        pytest.param(b"report", bytes(65), id="too long"),
    ],
)
def test_a_signature_that_does_not_hold_is_an_error(data: bytes, signature: bytes) -> None:
    with pytest.raises(TrustError, match="does not hold"):
        signing().public.verify(data, signature)


def test_a_key_shows_its_name_alone() -> None:
    assert repr(signing()) == f"SigningKey({signing().key_id})"
    assert repr(signing().public) == f"VerifyingKey({signing().key_id})"
    assert repr(opening()) == f"OpeningKey({opening().key_id})"
    assert repr(opening().public) == f"SealingKey({opening().key_id})"
