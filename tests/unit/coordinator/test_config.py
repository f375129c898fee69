from pathlib import Path

import pytest

from common.errors import ConfigError
from coordinator.config import CoordinatorConfig, load_config

pytestmark = pytest.mark.unit
EXAMPLE = Path(__file__).parents[3] / "docs" / "coordinator.example.yaml"


def load(tmp_path: Path, text: str) -> CoordinatorConfig:
    path = tmp_path / "coordinator.yaml"
    path.write_text(f"data_folder: data\n{text}")
    return load_config(path)


def test_one_line_is_enough(tmp_path: Path) -> None:
    config = load(tmp_path, "")

    assert config.data_folder == tmp_path / "data"
    assert config.database_url == f"sqlite:///{tmp_path}/data/coordinator.sqlite"
    assert (config.broker.kind, config.api.host) == ("embedded", "127.0.0.1")


def test_the_example_file_shows_the_defaults() -> None:
    config = load_config(EXAMPLE)

    plain = CoordinatorConfig(data_folder=config.data_folder)
    assert config == plain


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "::", "coordinator.example"])  # noqa: S104
def test_passwords_cross_no_network_in_the_clear(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="expected a loopback address") as refused:
        load(tmp_path, f"api: {{host: '{host}'}}")

    assert "api.tls" in refused.value.hint
    assert "api.behind_proxy" in refused.value.hint


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ("tls: {certificate_file: c.pem, key_file: k.pem}", "https://its.example:8000"),
        ("behind_proxy: true", "https://its.example"),
    ],
)
def test_with_tls_the_api_listens_to_the_network(tmp_path: Path, more: str, url: str) -> None:
    config = load(tmp_path, f"api: {{host: 10.0.0.5, names: [its.example], {more}}}")

    assert config.api.is_secure
    assert config.api.url == url
    assert {"its.example", "10.0.0.5", "localhost"} <= config.api.hosts


def test_certificate_files_start_beside_the_configuration(tmp_path: Path) -> None:
    config = load(tmp_path, "api: {tls: {certificate_file: c.pem, key_file: keys/k.pem}}")

    assert config.api.tls is not None
    assert config.api.tls.certificate_file == tmp_path / "c.pem"
    assert config.api.tls.key_file == tmp_path / "keys" / "k.pem"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_loopback_has_several_names(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, f"api: {{host: '{host}'}}").api.host == host


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("brokr: {}", "brokr is not a known key"),
        ("broker: {protocol: '5'}", "the embedded broker speaks 3.1.1"),
        ("api: {port: 70000}", "api.port"),
        ("broker: {kind: redis}", "broker.kind"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load(tmp_path, text)


def test_boxes_are_told_the_first_name_and_the_public_port(tmp_path: Path) -> None:
    config = load(tmp_path, "devices: {names: [its.example], public_port: 443}")

    assert config.devices.url == "https://its.example:443"


def test_the_brokers_certificate_covers_the_coordinators_own_way_to_it(tmp_path: Path) -> None:
    config = load(tmp_path, "broker: {host: 0.0.0.0, names: [its.example]}")

    assert config.broker.connect_host == "127.0.0.1"
    assert config.broker.certificate_names == ("its.example", "127.0.0.1")
