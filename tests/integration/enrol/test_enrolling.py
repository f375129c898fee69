"""First contact of a box, over real TLS."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from common.certificates import (
    create_root,
    trust_fingerprint,
)
from common.encryption import (
    SigningKey,
)
from common.enrolment import EnrolmentToken, key_note
from common.errors import ConfigError, ConflictError, ItsError, TrustError, UnreachableError
from common.timing import SystemClock
from edge.enrol import identity_files
from edge.enrol.client import MOST_ANSWER_BYTES, CoordinatorClient
from edge.enrol.enrolling import enrol
from edge.enrol.identity import Identity
from edge.enrol_commands import enroll
from tests.fakes.clocks import StandingClock
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator, enrolment_coordinator

pytestmark = pytest.mark.integration

CLOCK = SystemClock()


def attempt(coordinator: EnrolmentCoordinator, folder: Path, **more: Any) -> Identity:
    client = CoordinatorClient(coordinator.url)
    return enrol(client, coordinator.token, folder, clock=CLOCK, **more)


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_a_lost_answer_is_asked_for_again_with_the_same_keys(
    coordinator: EnrolmentCoordinator, folder: Path
) -> None:
    coordinator.answers_to_lose = 2
    for _ in range(2):
        with pytest.raises(UnreachableError, match="did not answer"):
            attempt(coordinator, folder)

    identity = attempt(coordinator, folder)

    assert set(coordinator.keys) == {identity.signing.key_id}
    assert files_of(folder) == set(identity_files.FILES)


def test_a_box_is_not_enrolled_twice_by_accident(
    coordinator: EnrolmentCoordinator, folder: Path, identity: Identity
) -> None:
    asked = len(coordinator.requests)

    with pytest.raises(ConflictError, match="identity of 'box-1' already") as caught:
        attempt(coordinator, folder)

    assert "--again" in caught.value.hint
    assert len(coordinator.requests) == asked
    assert Identity.load(folder).signing.key_id == identity.signing.key_id


def test_a_box_that_enrols_again_has_new_keys(
    coordinator: EnrolmentCoordinator, folder: Path, identity: Identity
) -> None:
    coordinator.keys.clear()

    again = attempt(coordinator, folder, again=True)

    assert again.signing.key_id != identity.signing.key_id
    assert again.certificate.serial != identity.certificate.serial


def test_the_token_is_told_to_nobody_but_the_coordinator_of_its_fingerprint(folder: Path) -> None:
    with enrolment_coordinator() as thief:
        strange = EnrolmentToken.generate("00" * 32)
        with pytest.raises(TrustError, match="expected 0000"):
            enrol(CoordinatorClient(thief.url), strange, folder, clock=CLOCK)

        assert thief.requests == ["GET /api/v1/trust"]


def test_a_server_that_shows_the_right_root_but_another_certificate_gets_no_token(
    folder: Path,
) -> None:
    with enrolment_coordinator(server_is_strange=True) as thief:
        with pytest.raises(TrustError, match="not vouched for"):
            attempt(thief, folder)

        assert thief.requests == ["GET /api/v1/trust"]


@pytest.mark.parametrize("order", ["before", "behind"])
def test_a_second_root_in_the_answer_is_not_trusted_along(folder: Path, order: str) -> None:
    # A thief who has the true root's certificate, which is public, adds the one of its own.
    true_root = create_root("the true root", now=CLOCK.now(), days=1).certificate_pem
    token = EnrolmentToken.generate(trust_fingerprint(true_root))
    with enrolment_coordinator() as thief:
        pair = [true_root, thief.root.certificate_pem]
        thief.shown_trust = b"".join(reversed(pair) if order == "before" else pair)

        with pytest.raises(TrustError, match="2 trust anchors, expected one"):
            enrol(CoordinatorClient(thief.url), token, folder, clock=CLOCK)

        assert thief.requests == ["GET /api/v1/trust"]


def test_what_stands_beside_the_root_in_another_wrapping_is_not_trusted(folder: Path) -> None:
    true_root = create_root("the true root", now=CLOCK.now(), days=1).certificate_pem
    token = EnrolmentToken.generate(trust_fingerprint(true_root))
    with enrolment_coordinator() as thief:
        # OpenSSL reads this kind of block too, other parsers pass it over.
        disguised = thief.root.certificate_pem.replace(b" CERTIFICATE", b" X509 CERTIFICATE")
        thief.shown_trust = true_root + disguised

        with pytest.raises(TrustError):
            enrol(CoordinatorClient(thief.url), token, folder, clock=CLOCK)

        assert thief.requests == ["GET /api/v1/trust"]


def test_a_server_of_another_name_gets_no_token(
    coordinator: EnrolmentCoordinator, folder: Path
) -> None:
    # 127.0.0.2 is this machine too, but no name of the certificate.
    elsewhere = CoordinatorClient(coordinator.url.replace("127.0.0.1", "127.0.0.2"))

    with pytest.raises(ItsError):
        enrol(elsewhere, coordinator.token, folder, clock=CLOCK)
    assert [request for request in coordinator.requests if "POST" in request] == []


def strange_note() -> dict[str, Any]:
    note = key_note(SigningKey.generate().public, CLOCK.now()).model_dump(mode="json")
    return note | {"id": "0" * 16}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"device": "box-2"}, "expected 'box-2'", id="another device"),
        pytest.param({"device": "../box"}, "not valid at device", id="no device id"),
        pytest.param({"order_keys": [strange_note()]}, "told as 0000000000000000", id="key id"),
        pytest.param({"order_keys": []}, "not valid at order_keys", id="no order keys"),
        pytest.param({"sealing_keys": [strange_note()]}, "sealing key of 32", id="no sealing key"),
        pytest.param({"password": "x"}, "not valid at password", id="a field too many"),
        pytest.param(
            {
                "trust_pem": create_root("r", now=CLOCK.now(), days=1).certificate_pem.decode(),
            },
            "another trust anchor",
            id="another root",
        ),
    ],
)
def test_an_answer_that_does_not_hold_leaves_no_identity(
    coordinator: EnrolmentCoordinator, folder: Path, changes: dict[str, Any], words: str
) -> None:
    coordinator.changes = changes

    with pytest.raises(TrustError, match=words):
        attempt(coordinator, folder)
    assert files_of(folder) == set()


def test_a_certificate_of_another_key_is_not_stored(
    coordinator: EnrolmentCoordinator, identity: Identity, tmp_path: Path
) -> None:
    leaf = (identity.folder / "tls.pem").read_text().split("-----END CERTIFICATE-----\n")[0]
    coordinator.keys.clear()
    coordinator.changes = {"certificate_pem": leaf + "-----END CERTIFICATE-----\n"}

    with pytest.raises(TrustError, match="another key"):
        attempt(coordinator, tmp_path / "other")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, UnreachableError),
        (503, UnreachableError),
        (429, UnreachableError),
        (409, ConflictError),
        (403, TrustError),
        (404, TrustError),
        (302, TrustError),
    ],
)
def test_a_refusal_says_whether_another_attempt_may_help(
    coordinator: EnrolmentCoordinator, folder: Path, status: int, kind: type[ItsError]
) -> None:
    coordinator.status = status

    with pytest.raises(kind, match=f"answered {status}: as the test wants"):
        attempt(coordinator, folder)


def test_a_coordinator_that_is_away_is_unreachable(
    coordinator: EnrolmentCoordinator, folder: Path
) -> None:
    nobody = CoordinatorClient("https://127.0.0.1:9")

    with pytest.raises(UnreachableError, match="cannot be reached"):
        enrol(nobody, coordinator.token, folder, clock=CLOCK)


def test_an_endless_answer_is_cut(coordinator: EnrolmentCoordinator, folder: Path) -> None:
    coordinator.shown_trust = bytes(MOST_ANSWER_BYTES + 1)

    with pytest.raises(TrustError, match="more than 262144 bytes"):
        attempt(coordinator, folder)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "127.0.0.1:1",
        "https://",
        "https://a:secret@host",
        "https://host?token=secret",
        "https://host/api/v1",
        "https://host:port",
        "https://[",
        "",
    ],
)
def test_only_an_https_address_is_taken(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CoordinatorClient(url)
    assert "secret" not in str(caught.value)


def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(enroll)
    return app


def test_the_command_enrols_and_shows_no_secret(
    coordinator: EnrolmentCoordinator, folder: Path, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(coordinator.token.to_text() + "\n")
    token_file.chmod(0o600)

    run = CliRunner().invoke(
        command(),
        ["--coordinator", coordinator.url, "--token-file", str(token_file),
         "--identity-folder", str(folder)],
    )  # fmt: skip

    assert run.exit_code == 0, run.output
    assert "enrolled as box-1 of site harbour" in run.output
    assert coordinator.token.secret not in run.output
    assert coordinator.token.secret not in "".join(sys.argv)
    assert trust_fingerprint(Identity.load(folder).trust_pem) == coordinator.token.trust_fingerprint


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"its1.x.y", 0o600, "expected its1"),
        (b"\xff\xfe", 0o600, "does not hold a token"),
        (b"its1.x.y", 0o644, "expected 0600"),
    ],
)
def test_the_command_wants_a_private_token_file(
    folder: Path, tmp_path: Path, content: bytes, mode: int, words: str
) -> None:
    token_file = tmp_path / "token"
    token_file.write_bytes(content)
    token_file.chmod(mode)

    with pytest.raises(ConfigError, match=words):
        enroll("https://127.0.0.1:9", token_file, folder)
    assert not folder.exists()


def test_a_box_whose_clock_is_far_off_is_told(
    coordinator: EnrolmentCoordinator, folder: Path
) -> None:
    yesterday = StandingClock(CLOCK.now() - timedelta(days=1))

    with pytest.raises(TrustError, match="chain does not hold"):
        enrol(CoordinatorClient(coordinator.url), coordinator.token, folder, clock=yesterday)
