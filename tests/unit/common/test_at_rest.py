from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.encryption import AtRestKey
from common.errors import ConfigError, TrustError

pytestmark = pytest.mark.unit

KEY = AtRestKey(bytes(range(32)))
CLOSED = KEY.encrypt(b"forty-one lorries", b"outbox/1")


@given(st.binary(max_size=5_000), st.binary(max_size=50))
def test_what_was_encrypted_is_decrypted(data: bytes, context: bytes) -> None:
    assert KEY.decrypt(KEY.encrypt(data, context), context) == data


def test_the_key_comes_back_from_its_file(tmp_path: Path) -> None:
    first = AtRestKey.load_or_create(tmp_path / "at_rest.key")
    again = AtRestKey.load_or_create(tmp_path / "at_rest.key")

    assert again.decrypt(first.encrypt(b"x", b"row"), b"row") == b"x"
    assert (tmp_path / "at_rest.key").stat().st_mode & 0o777 == 0o600


def test_one_record_looks_different_each_time() -> None:
    assert KEY.encrypt(b"same", b"row") != KEY.encrypt(b"same", b"row")


@pytest.mark.parametrize(
    ("data", "context"),
    [
        pytest.param(CLOSED, b"outbox/2", id="another record's place"),
        pytest.param(CLOSED[:-1], b"outbox/1", id="cut"),
        pytest.param(CLOSED + b"\0", b"outbox/1", id="a byte follows"),
        pytest.param(b"", b"outbox/1", id="empty"),
        pytest.param(b"ITSR\x02" + CLOSED[5:], b"outbox/1", id="version 2"),
        pytest.param(b"forty-one lorries, in the clear", b"outbox/1", id="plain"),
    ],
)
def test_a_record_that_was_tampered_with_is_not_trusted(data: bytes, context: bytes) -> None:
    with pytest.raises(TrustError):
        KEY.decrypt(data, context)


def test_every_bit_counts() -> None:
    for at in range(len(CLOSED)):
        changed = bytearray(CLOSED)
        changed[at] ^= 1

        with pytest.raises(TrustError):
            KEY.decrypt(bytes(changed), b"outbox/1")


def test_another_key_opens_nothing() -> None:
    with pytest.raises(TrustError, match="does not open"):
        AtRestKey(bytes(32)).decrypt(CLOSED, b"outbox/1")


@pytest.mark.parametrize("content", ["", "abcd", "g" * 64, "00" * 33, "é" * 32])
def test_a_file_without_a_key_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "at_rest.key"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="64 hex digits"):
        AtRestKey.load_or_create(path)
    assert path.read_text() == content


def test_a_key_has_thirty_two_bytes_and_shows_none_of_them() -> None:
    assert repr(KEY) == f"AtRestKey({KEY.key_id})"
    assert KEY.key_id not in bytes(range(32)).hex()
    with pytest.raises(ValueError, match="key of 31 bytes"):
        AtRestKey(bytes(31))
