"""The API beyond this machine: by TLS, or behind a proxy on this machine alone."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from common.errors import ConfigError
from common.free_ports import free_port
from coordinator.config import CoordinatorConfig
from coordinator.container import coordinator_container
from coordinator.http_server import HttpAddress, HttpServer
from coordinator.setting_up import set_up

pytestmark = pytest.mark.integration


async def who_asks(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says for whom it was asked."""
    request = Request(scope)
    said = {"client": request.client.host if request.client else "", "scheme": request.url.scheme}
    await JSONResponse(said)(scope, receive, send)


def asked(address: HttpAddress, **more: object) -> dict[str, str]:
    server = HttpServer(who_asks, address)
    server.start()
    scheme = "https" if address.certificate_file else "http"
    try:
        verify = more.pop("verify", True)
        with httpx.Client(verify=verify) as client:  # type: ignore[arg-type]
            said: dict[str, str] = client.get(
                f"{scheme}://127.0.0.1:{address.port}/",
                headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"},
            ).json()
    finally:
        server.stop()
    return said


def test_a_proxy_on_this_machine_says_for_whom_it_asks() -> None:
    address = HttpAddress(name="api", host="127.0.0.1", port=free_port(), behind_proxy=True)

    assert asked(address) == {"client": "203.0.113.9", "scheme": "https"}


def test_nobody_says_who_they_are_where_no_proxy_is_declared() -> None:
    address = HttpAddress(name="api", host="127.0.0.1", port=free_port())

    assert asked(address) == {"client": "127.0.0.1", "scheme": "http"}


def test_the_api_speaks_tls(tmp_path: Path) -> None:
    container = coordinator_container(CoordinatorConfig(data_folder=tmp_path / "data"))
    set_up(container)
    certificate, key = container.certificates().server("api", ("127.0.0.1",))
    trust = ssl.create_default_context(cafile=str(container.certificates().trust_file))
    address = HttpAddress(
        name="api",
        host="127.0.0.1",
        port=free_port(),
        certificate_file=certificate,
        key_file=key,
    )

    assert asked(address, verify=trust)["scheme"] == "https"
    container.database().close()


def test_a_certificate_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "fullchain.pem"
    broken.write_text("nothing")
    address = HttpAddress(
        name="api", host="127.0.0.1", port=free_port(), certificate_file=broken, key_file=broken
    )

    with pytest.raises(ConfigError, match="api cannot use certificate"):
        HttpServer(who_asks, address).start()
