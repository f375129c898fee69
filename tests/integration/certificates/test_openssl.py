"""What we certify and revoke, in the eyes of OpenSSL's own program."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from common.certificates import (
    Revoked,
    create_issuing,
    issue_device,
    make_crl,
    make_csr,
    new_tls_key,
)
from tests.unit.common.small_authority import (
    DAY,
    NOW,
    box_leaf,
    box_serial,
    crls,
    issuing,
    root,
    server,
)

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _needs_openssl() -> None:
    if shutil.which("openssl") is None:
        missing = "no openssl on this machine"
        if os.environ.get("ITS_REQUIRE_SYSTEM"):
            pytest.fail(missing)
        pytest.skip(missing)


def verify(folder: Path, leaf: bytes, *options: str, more_trust: bytes = b"") -> str:
    """What ``openssl verify`` says of a leaf, in its strict mode."""
    (folder / "trust.pem").write_bytes(root().certificate_pem + more_trust)
    (folder / "between.pem").write_bytes(issuing().certificate_pem)
    (folder / "leaf.pem").write_bytes(leaf)
    run = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", "trust.pem", "-untrusted", "between.pem",
         *options, "leaf.pem"],
        cwd=folder, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return run.stdout + run.stderr


@pytest.mark.parametrize(
    ("purpose", "box_is", "server_is"),
    [("sslclient", "leaf.pem: OK", "error 26"), ("sslserver", "error 26", "leaf.pem: OK")],
)
def test_a_certificate_is_good_for_its_purpose_alone(
    tmp_path: Path, purpose: str, box_is: str, server_is: str
) -> None:
    assert box_is in verify(tmp_path, box_leaf(), "-purpose", purpose)
    assert server_is in verify(tmp_path, server()[0], "-purpose", purpose)


@pytest.mark.parametrize(
    ("name", "is_good"),
    [
        (("-verify_hostname", "localhost"), True),
        (("-verify_ip", "127.0.0.1"), True),
        (("-verify_hostname", "example.org"), False),
        (("-verify_ip", "127.0.0.2"), False),
    ],
)
def test_a_server_has_its_names_and_no_others(
    tmp_path: Path, name: tuple[str, str], is_good: bool
) -> None:
    assert ("leaf.pem: OK" in verify(tmp_path, server()[0], *name)) is is_good


@pytest.mark.parametrize("check", ["-crl_check", "-crl_check_all"])
def test_a_revoked_box_is_refused_and_others_are_not(tmp_path: Path, check: str) -> None:
    none, one = crls(), crls(box_serial())
    other = issue_device(issuing(), make_csr(new_tls_key()), device="box-2", now=NOW, hours=1)

    assert "leaf.pem: OK" in verify(tmp_path, box_leaf(), check, more_trust=none)
    assert "error 23" in verify(tmp_path, box_leaf(), check, more_trust=one)
    assert "leaf.pem: OK" in verify(tmp_path, other, check, more_trust=one)


def test_the_whole_chain_needs_the_list_of_the_root_too(tmp_path: Path) -> None:
    of_issuing = make_crl(issuing(), [], NOW, NOW + DAY)

    assert "leaf.pem: OK" in verify(tmp_path, box_leaf(), "-crl_check", more_trust=of_issuing)
    assert "error 3" in verify(tmp_path, box_leaf(), "-crl_check_all", more_trust=of_issuing)


def test_a_list_that_ended_stops_everybody(tmp_path: Path) -> None:
    ended = make_crl(issuing(), [], NOW - DAY, NOW - timedelta(hours=1))

    assert "error 12" in verify(tmp_path, box_leaf(), "-crl_check", more_trust=ended)


def test_lists_of_the_old_and_the_new_issuing_ca_stand_side_by_side(tmp_path: Path) -> None:
    following = create_issuing(root(), now=NOW + timedelta(seconds=1), days=30)
    new_leaf = issue_device(following, make_csr(new_tls_key()), device="box-2", now=NOW, hours=1)
    revoked = [Revoked(serial=box_serial(), at=NOW)]
    lists = following.certificate_pem + crls(issuer=following)
    lists += make_crl(issuing(), revoked, NOW, NOW + DAY)

    assert "leaf.pem: OK" in verify(tmp_path, new_leaf, "-crl_check_all", more_trust=lists)
    assert "error 23" in verify(tmp_path, box_leaf(), "-crl_check_all", more_trust=lists)


def test_certificates_end_when_they_say(tmp_path: Path) -> None:
    after = str(int((NOW + 4 * DAY).timestamp()))

    assert "error 10" in verify(tmp_path, box_leaf(), "-attime", after)
