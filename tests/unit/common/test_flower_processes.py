"""Command lines and environment of Flower's processes."""

from __future__ import annotations

import json
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from common.flower_processes import (
    FLOWER_VERSION,
    HUB_PREFIX,
    RUNS_VARIABLE,
    LinkPlace,
    NodePlace,
    connection_file,
    flower_environment,
    openssh_key,
    run_command,
    superexec_command,
    superlink_command,
    supernode_command,
    trusted_entities,
)

pytestmark = pytest.mark.unit

LINK = LinkPlace(
    host="127.0.0.1",
    port=9092,
    certificate=Path("/f/server.pem"),
    key=Path("/f/server.key"),
    authority=Path("/f/trust.pem"),
    database=Path("/f/superlink.db"),
    task_secret=Path("/f/task.secret"),
)


def node(*, device: str = "box-1", learn_folder: str = "/d/learn") -> NodePlace:
    return NodePlace(
        link="fleet.example:9443",
        authority=Path("/d/trust.pem"),
        key=Path("/d/node.key"),
        trusted=Path("/d/trusted.yaml"),
        own_port=40001,
        device=device,
        learn_folder=Path(learn_folder),
    )


def test_the_installed_flower_is_the_one_that_was_read() -> None:
    assert version("flwr") == FLOWER_VERSION


@pytest.mark.parametrize("command", [superlink_command(LINK), superexec_command(LINK)])
def test_nothing_is_started_without_tls_or_with_installing(command: list[str]) -> None:
    assert "--insecure" not in command
    assert "--allow-runtime-dependency-installation" not in command
    assert "/f/trust.pem" in command


def test_a_superlink_asks_for_keys_and_keeps_its_state() -> None:
    command = superlink_command(LINK)

    assert "--enable-supernode-auth" in command
    assert "--disable-runtime-dependency-installation" in command
    assert command[command.index("--database") + 1] == "/f/superlink.db"
    assert command[command.index("--isolation") + 1] == "process"


def test_a_node_executes_signed_bundles_alone() -> None:
    command = supernode_command(node())

    assert command[command.index("--trusted-entities") + 1] == "/d/trusted.yaml"
    assert command[command.index("--node-config") + 1] == 'device="box-1" learn-folder="/d/learn"'


@pytest.mark.parametrize("folder", ['/d/"x', "/d/'x", "/d/\nx"])
def test_a_name_that_would_end_its_quotes_is_refused(folder: str) -> None:
    with pytest.raises(ValueError, match="quote"):
        supernode_command(node(learn_folder=folder))


def test_a_run_carries_the_name_of_its_folder_and_nothing_else() -> None:
    command = run_command("run-7")

    assert command[1:] == [
        "run",
        "@its/federated==1.0.0",
        "its",
        "--run-config",
        'run="run-7"',
        "--format",
        "json",
    ]


def test_the_environment_is_silent_and_knows_no_proxy() -> None:
    base = {
        "HTTPS_PROXY": "http://p",
        "https_proxy": "http://p",
        "FLWR_OIDC_ENABLED": "1",
        "A": "b",
    }

    found = flower_environment(base, home=Path("/h"))

    assert found["FLWR_TELEMETRY_ENABLED"] == "0"
    assert found["FLWR_DISABLE_UPDATE_CHECK"] == "1"
    assert found["FLWR_HOME"] == "/h"
    assert found["FLWR_SUPERGRID_API_URL"] == f"http://127.0.0.1:9{HUB_PREFIX}"
    assert found["A"] == "b"
    assert not {name for name in found if "PROXY" in name.upper()}
    assert "FLWR_OIDC_ENABLED" not in found
    assert RUNS_VARIABLE not in found


def test_only_who_needs_them_is_told_of_hub_and_runs() -> None:
    found = flower_environment(
        {}, home=Path("/h"), hub_url="http://127.0.0.1:1/v1", runs=Path("/r")
    )

    assert found["FLWR_SUPERGRID_API_URL"] == "http://127.0.0.1:1/v1"
    assert found[RUNS_VARIABLE] == "/r"


def test_programs_are_those_of_this_interpreter() -> None:
    found = flower_environment({"PATH": "/elsewhere"}, home=Path("/h"))

    first = found["PATH"].split(":")[0]
    assert superlink_command(LINK)[0] == f"{first}/flower-superlink"


def test_the_connection_is_read_as_it_was_meant() -> None:
    told = tomllib.loads(connection_file(LINK))["superlink"]

    assert told["default"] == "its"
    assert told["its"] == {"address": "127.0.0.1:9092", "root-certificates": "/f/trust.pem"}


def test_an_ipv6_address_is_written_in_brackets() -> None:
    place = LinkPlace(
        host="::1",
        port=1,
        certificate=LINK.certificate,
        key=LINK.key,
        authority=LINK.authority,
        database=LINK.database,
        task_secret=LINK.task_secret,
    )

    assert place.address == "[::1]:1"


def test_a_trusted_key_is_written_as_openssh_reads_it() -> None:
    key = Ed25519PrivateKey.generate().public_key()

    told = json.loads(trusted_entities({"1234567890123456": key.public_bytes_raw()}))

    read = load_ssh_public_key(told["1234567890123456"].encode())
    assert read.public_bytes_raw() == key.public_bytes_raw()  # type: ignore[union-attr]


def test_nobody_trusted_is_refused_because_flower_would_trust_everybody() -> None:
    with pytest.raises(ValueError, match="no trusted key"):
        trusted_entities({})


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 32"):
        openssh_key(b"short")
