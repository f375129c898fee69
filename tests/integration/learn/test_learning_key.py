"""Enrolment and renewal → the key of the federated node, and where it trains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.encryption import SigningKey
from common.enrolment import LearningAddress, to_base64
from common.flower_processes import DEVICE_KEY
from common.learning_keys import learning_key_line
from common.timing import SystemClock
from edge.config import EdgeConfig
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol, renew
from edge.enrol.identity import Identity
from edge.learn.learning import node_order
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator, enrolment_coordinator

pytestmark = pytest.mark.integration

RELEASE = SigningKey.generate()
ADDRESS = LearningAddress(
    host="127.0.0.1",
    port=9092,
    release_key=to_base64(RELEASE.public.raw),
    release_key_id=RELEASE.key_id,
)


@pytest.fixture
def coordinator() -> Iterator[EnrolmentCoordinator]:
    with enrolment_coordinator() as running:
        yield running


def enrolled(coordinator: EnrolmentCoordinator, folder: Path) -> Identity:
    client = CoordinatorClient(coordinator.url)
    return enrol(client, coordinator.token, folder, clock=SystemClock())


def renewed(coordinator: EnrolmentCoordinator, identity: Identity) -> Identity:
    return renew(CoordinatorClient(coordinator.url), identity, clock=SystemClock())


def test_enrolment_makes_a_private_key_of_the_kind_that_flower_takes(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    identity = enrolled(coordinator, tmp_path / "identity")

    private = identity.learning_key_file.read_bytes()
    assert identity.learning_key_file.stat().st_mode & 0o777 == 0o600
    assert private.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    assert learning_key_line(private).startswith("ecdsa-sha2-nistp256 ")


def test_a_renewal_keeps_the_key(coordinator: EnrolmentCoordinator, tmp_path: Path) -> None:
    identity = enrolled(coordinator, tmp_path / "identity")
    before = identity.learning_key_file.read_bytes()

    again = renewed(coordinator, identity)

    assert again.learning_key_file.read_bytes() == before


def test_a_box_enrolled_before_there_were_keys_gets_one_at_its_next_renewal(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    identity = enrolled(coordinator, tmp_path / "identity")
    identity.learning_key_file.unlink()
    about = json.loads((identity.folder / "device.json").read_bytes())
    del about["learning"]
    (identity.folder / "device.json").write_text(json.dumps(about))

    again = renewed(coordinator, Identity.load(identity.folder))

    assert learning_key_line(again.learning_key_file.read_bytes())


def test_where_to_train_is_stored_and_becomes_the_nodes_command_line(
    coordinator: EnrolmentCoordinator, tmp_path: Path
) -> None:
    first = enrolled(coordinator, tmp_path / "data" / "identity")
    config = EdgeConfig(site_file=tmp_path / "site.yaml", data_folder=tmp_path / "data")
    before = node_order(config)
    coordinator.changes = {"learning": ADDRESS.model_dump(mode="json")}

    identity = renewed(coordinator, first)
    order = node_order(config)

    assert before is None
    assert identity.about.learning == ADDRESS
    assert order is not None
    words = list(order.command)
    assert words[words.index("--superlink") + 1] == "127.0.0.1:9092"
    assert words[words.index("--auth-supernode-private-key") + 1] == str(identity.learning_key_file)
    assert f'{DEVICE_KEY}="box-1"' in words[words.index("--node-config") + 1]
    trusted = json.loads(Path(words[words.index("--trusted-entities") + 1]).read_text())
    assert list(trusted) == [RELEASE.key_id]
    assert order.environment["FLWR_TELEMETRY_ENABLED"] == "0"
