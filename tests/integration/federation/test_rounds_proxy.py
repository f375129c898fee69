"""The nginx configuration, run by a real nginx before a TLS server in the SuperLink's place."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.free_ports import free_port
from coordinator.config import LearningListenerSettings
from coordinator.container import CoordinatorContainer
from coordinator.federation.proxy import LINK_HOST, LINK_NAME, ProxySettings, nginx_conf
from tests.fakes.nginx_proxy import require_nginx, running_nginx
from tests.integration.federation.conftest import wait_until

pytestmark = pytest.mark.integration


@dataclass
class Link:
    """What reached the place of the SuperLink."""

    port: int
    asked: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Proxied:
    """The proxy's side that boxes see."""

    port: int
    trust: Path
    link: Link

    def ask(self, path: str, *, method: str = "POST", body: bytes = b"") -> int:
        context = ssl.create_default_context(cafile=str(self.trust))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, context=context, timeout=20
        )
        try:
            connection.request(method, path, body=body)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def link(container: CoordinatorContainer) -> Iterator[Link]:
    certificate, key = container.certificates().server("superlink", (LINK_HOST, LINK_NAME))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    found = Link(port=0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            found.asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the name that the library calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LINK_HOST, 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    found.port = server.server_address[1]
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxied(container: CoordinatorContainer, link: Link, tmp_path: Path) -> Iterator[Proxied]:
    require_nginx()
    certificates = container.certificates()
    certificate, key = certificates.server("rounds-proxy", ("localhost",))
    folder = tmp_path / "proxy"
    folder.mkdir()
    folder.chmod(0o755)
    settings = ProxySettings(
        host="127.0.0.1",
        port=free_port(),
        certificate=certificate,
        key=key,
        trust=certificates.trust_file,
        link_port=link.port,
        folder=folder,
    )
    config = tmp_path / "nginx.conf"
    config.write_text(nginx_conf(settings))
    with running_nginx(config):
        proxied = Proxied(settings.port, certificates.trust_file, link)
        wait_until("nginx answers", lambda: answers(proxied))
        yield proxied


def answers(proxied: Proxied) -> bool:
    try:
        return proxied.ask("/") == 403
    except OSError:
        return False


@pytest.mark.parametrize(
    "path",
    [
        "/v1/control/start-run",
        "/v1/control/register-node",
        "/v1/runtime/pull-task",
        "/v1/",
        "/",
        "/v1/fleet",
        "/v1/fleet/../control/start-run",
        "/v1/fleet/%2e%2e/control/start-run",
        "//v1/control/start-run",
        "/V1/FLEET/x",
    ],
)
def test_nothing_but_the_fleet_gets_through(proxied: Proxied, path: str) -> None:
    assert proxied.ask(path) == 403
    assert proxied.link.asked == []


def test_the_fleet_gets_through_with_an_update_of_ten_megabytes(proxied: Proxied) -> None:
    assert proxied.ask("/v1/fleet/push-object", body=b"x" * 10_400_000) == 200
    assert proxied.link.asked == ["/v1/fleet/push-object"]


def test_the_fleet_only_posts(proxied: Proxied) -> None:
    assert proxied.ask("/v1/fleet/push-object", method="GET") == 403
    assert proxied.link.asked == []


def test_a_coordinator_without_a_public_address_has_no_proxy(
    container: CoordinatorContainer,
) -> None:
    with pytest.raises(ConfigError, match=r"expected federation\.public"):
        ProxySettings.of(container.settings(), container.certificates())


def test_the_public_address_stands_in_certificate_and_configuration(
    container: CoordinatorContainer,
) -> None:
    federation = container.settings().federation.model_copy(
        update={"public": LearningListenerSettings(host="learn.example", port=9443)}
    )
    settings = container.settings().model_copy(update={"federation": federation})

    found = ProxySettings.of(settings, container.certificates())
    elsewhere = ProxySettings.of(settings, container.certificates(), folder=Path("/run/proxy"))

    names = subprocess.run(
        ["openssl", "x509", "-in", str(found.certificate), "-noout", "-ext", "subjectAltName"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "DNS:learn.example" in names
    assert "listen 0.0.0.0:9443 ssl;" in nginx_conf(found)
    assert f"pid {settings.federation_folder}/proxy/nginx.pid;" in nginx_conf(found)
    assert "pid /run/proxy/nginx.pid;" in nginx_conf(elsewhere)
