"""The hub as the process that the coordinator starts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.flower_processes import APP, APP_VERSION
from common.keys import SigningKey
from models.federated.bundle import build_bundle
from models.federated.bundle_signing import sign_bundle, write_signed

pytestmark = pytest.mark.integration


def test_the_hub_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    key = SigningKey.generate()
    bundle = build_bundle()
    write_signed(tmp_path, bundle, sign_bundle(bundle, key, at=datetime.now(UTC)))
    words = ["serve", "--folder", str(tmp_path), "--port", "0"]
    run = f"from models.federated_commands import app; app({words!r})"

    with subprocess.Popen(
        [sys.executable, "-c", run], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        question = json.dumps({"app_id": APP, "app_version": APP_VERSION}).encode()
        with urllib.request.urlopen(f"{url}/hub/fetch-fab", question, 10) as answer:  # noqa: S310
            told = json.loads(answer.read())
        process.send_signal(signal.SIGTERM)
        ended = process.wait(20)

    assert [word["public_key_id"] for word in told["verifications"]] == [key.key_id]
    assert ended == 0
