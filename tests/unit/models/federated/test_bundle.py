"""The bundle, its signature and the hub that hands both out."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flwr.cli.install import install_from_fab
from flwr.supercore.fab import Fab
from flwr.supernode.start_client_internal import _verify_fab

from common.errors import ConfigError, TrustError
from common.flower_processes import APP, APP_VERSION, openssh_key
from common.keys import SigningKey
from models.federated.bundle import build_bundle, bundle_digest, write_app_folder
from models.federated.bundle_signing import read_signed, sign_bundle, verify_bundle, write_signed
from models.federated.hub_service import Hub

pytestmark = pytest.mark.unit

KEY = SigningKey.generate()
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_a_bundle_has_the_same_bytes_every_time() -> None:
    assert build_bundle() == build_bundle()


def test_a_bundle_holds_two_imports_and_nothing_that_trains() -> None:
    with zipfile.ZipFile(io.BytesIO(build_bundle())) as archive:
        names = archive.namelist()
        client = archive.read("its_federated/client.py").decode()

    assert names == [
        "pyproject.toml",
        "its_federated/__init__.py",
        "its_federated/client.py",
        "its_federated/server.py",
        ".info/CONTENT",
    ]
    assert [line for line in client.splitlines() if "import" in line] == [
        "from models.federated.client_app import app"
    ]


def test_flower_installs_the_bundle_as_its_own(tmp_path: Path) -> None:
    installed = install_from_fab(build_bundle(), tmp_path, skip_prompt=True)

    assert installed.name.startswith(f"its.federated.{APP_VERSION}.")
    assert (installed / "its_federated" / "server.py").is_file()


def test_flower_verifies_what_the_release_key_signed() -> None:
    bundle = build_bundle()
    word = sign_bundle(bundle, KEY, at=AT).verifications[0]
    facts = {"signed_at": word.signed_at, "signature": word.signature}
    told = {"valid_license": "Valid", KEY.key_id: json.dumps(facts)}
    trusted = {KEY.key_id: openssh_key(KEY.public.raw)}

    assert _verify_fab(Fab(bundle_digest(bundle), bundle, told), trusted)
    assert not _verify_fab(Fab(bundle_digest(bundle), bundle + b" ", told), trusted)


def test_a_signature_holds_for_its_bundle_and_key_alone() -> None:
    bundle = build_bundle()
    signed = sign_bundle(bundle, KEY, at=AT)

    word = verify_bundle(bundle, signed, [SigningKey.generate().public, KEY.public])

    assert (word.public_key_id, word.at) == (KEY.key_id, AT)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param({"sha256": "0" * 64}, "SHA-256", id="another bundle"),
        pytest.param({"signed_at": 1}, "does not hold", id="another time"),
        pytest.param({"signature": "AAAA"}, "does not hold", id="another signature"),
        pytest.param({"public_key_id": "0" * 16}, "expected one of", id="another key"),
    ],
)
def test_a_changed_signature_is_refused(spoil: dict[str, Any], complaint: str) -> None:
    bundle = build_bundle()
    signed = sign_bundle(bundle, KEY, at=AT)
    word = signed.verifications[0]
    words = word.model_copy(update={k: v for k, v in spoil.items() if k != "sha256"})
    changed = signed.model_copy(
        update={"verifications": (words,)} | {k: v for k, v in spoil.items() if k == "sha256"}
    )

    with pytest.raises(TrustError, match=complaint):
        verify_bundle(bundle, changed, [KEY.public])


def test_a_signed_bundle_is_read_as_it_was_written(tmp_path: Path) -> None:
    bundle = build_bundle()
    signed = sign_bundle(bundle, KEY, at=AT)

    write_signed(tmp_path / "bundles", bundle, signed)

    assert read_signed(tmp_path / "bundles") == (bundle, signed)


def test_a_folder_without_a_signed_bundle_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_signed(tmp_path)

    assert "bundle build" in caught.value.hint


def test_the_unsigned_folder_holds_the_same_files(tmp_path: Path) -> None:
    write_app_folder(tmp_path)

    with zipfile.ZipFile(io.BytesIO(build_bundle())) as archive:
        for name in archive.namelist()[:-1]:
            assert (tmp_path / name).read_bytes() == archive.read(name)


@contextmanager
def hub() -> Iterator[Hub]:
    bundle = build_bundle()
    running = Hub(bundle, sign_bundle(bundle, KEY, at=AT))
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield running
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def asked(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_hub_names_the_bundle_and_who_signed_it() -> None:
    with hub() as running:
        question = json.dumps({"app_id": APP, "app_version": APP_VERSION}).encode()
        status, body = asked(f"{running.url}/hub/fetch-fab", question)
        answer = json.loads(body)
        fetched, bundle = asked(answer["fab_url"])

    assert (status, fetched) == (200, 200)
    assert [word["public_key_id"] for word in answer["verifications"]] == [KEY.key_id]
    assert bundle == build_bundle()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("/hub/fetch-fab", b'{"app_id":"@its/other"}', 404, id="another app"),
        pytest.param(
            "/hub/fetch-fab",
            b'{"app_id":"@its/federated","app_version":"9.9.9"}',
            404,
            id="version",
        ),
        pytest.param("/hub/fetch-fab", b"not json", 400, id="no JSON"),
        pytest.param("/hub/fetch-fab", b"[]", 400, id="no object"),
        pytest.param("/hub/fetch-fab", b" " * 5000, 400, id="too long"),
        pytest.param("/update-check/flwr", b"{}", 404, id="another service"),
        pytest.param("/hub/fabs/../../etc/passwd", None, 404, id="another file"),
    ],
)
def test_the_hub_answers_nothing_else(path: str, body: bytes | None, status: int) -> None:
    with hub() as running:
        answered, _ = asked(running.url + path, body)

    assert answered == status
