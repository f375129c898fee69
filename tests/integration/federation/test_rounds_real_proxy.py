"""nginx before a real SuperLink: nodes get through, whoever starts runs does not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from common.flower_processes import (
    connection_file,
    flower_environment,
    list_runs_command,
    register_node_command,
    run_command,
    supernode_command,
)
from common.free_ports import free_port
from coordinator.federation.proxy import ProxySettings, nginx_conf
from tests.fakes.flower_network import FlowerNetwork, Node
from tests.fakes.nginx_proxy import require_nginx, running_nginx

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[FlowerNetwork]:
    require_nginx()
    with FlowerNetwork(tmp_path / "flower") as network:
        yield network


@pytest.fixture
def proxy_port(network: FlowerNetwork, tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "proxy"
    folder.mkdir()
    settings = ProxySettings(
        host="127.0.0.1",
        port=free_port(),
        certificate=network.place.certificate,
        key=network.place.key,
        trust=network.place.authority,
        link_port=network.place.port,
        folder=folder,
    )
    config = tmp_path / "nginx.conf"
    config.write_text(nginx_conf(settings))
    with running_nginx(config):
        yield settings.port


def test_a_node_gets_through_and_the_control_api_does_not(
    network: FlowerNetwork, proxy_port: int, tmp_path: Path
) -> None:
    through = replace(network.place, port=proxy_port)
    home = tmp_path / "operator"
    home.mkdir()
    (home / "config.toml").write_text(connection_file(through))
    environment = flower_environment(os.environ, home=home)
    place = replace(network.stranger("box-1"), link=through.address)
    answer = network.flwr(register_node_command(place.key.with_suffix(".pub"), name="box-1"))
    network.nodes["box-1"] = Node("box-1", int(answer["node-id"]), place)

    network.start_node("box-1", command=supernode_command(place))
    network.wait_online("box-1")
    before = network.log("superlink").count("/v1/control/")
    refused = [
        subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        for command in (list_runs_command(), run_command("any"))
    ]

    assert not any('"success": true' in answered.stdout for answered in refused)
    assert network.log("superlink").count("/v1/control/") == before
    assert "/v1/fleet/activate-node" in network.log("superlink")
    assert network.flwr(list_runs_command())["runs"] == []
