"""What the network reaches: enrolment over HTTPS, and nothing beside it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from common.chain_checks import read_crls
from common.enrolment import ENROLMENT_PATH, RENEWAL_PATH, TRUST_PATH, EnrolmentAnswer
from common.free_ports import free_port
from coordinator.app import create_app, create_device_app
from coordinator.container import CoordinatorContainer
from coordinator.http_server import HttpAddress, HttpServer
from tests.fakes.asgi_client import ask
from tests.fakes.enrolled_box import Box
from tests.fakes.lets_in import lets_in

pytestmark = pytest.mark.integration


@pytest.fixture
def boxes(container: CoordinatorContainer, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the listener that trusts only our root."""
    certificate_file, key_file = container.certificates().server("devices", ["127.0.0.1"])
    address = HttpAddress(
        name="devices",
        host="127.0.0.1",
        port=free_port(),
        certificate_file=certificate_file,
        key_file=key_file,
    )
    server = HttpServer(create_device_app(container), address)
    server.start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=container.authority().trust_pem.decode())
    with httpx.Client(
        base_url=f"https://127.0.0.1:{address.port}",
        verify=context,
        trust_env=False,
        headers={"content-type": "application/json"},
    ) as client:
        yield client
    server.stop()


def test_a_box_enrols_and_renews_over_https(
    container: CoordinatorContainer, boxes: httpx.Client
) -> None:
    box = Box.new()
    token = container.tokens().create("main", hours=1).token

    enrolled = boxes.post(ENROLMENT_PATH, content=box.request(token.secret).model_dump_json())
    answer = EnrolmentAnswer.model_validate_json(enrolled.content)
    renewed = boxes.post(
        RENEWAL_PATH.format(device=answer.device),
        content=box.renewal(answer.device).model_dump_json(),
    )

    assert (enrolled.status_code, renewed.status_code) == (200, 200)
    assert renewed.json()["certificate_pem"] != answer.certificate_pem
    assert boxes.get(TRUST_PATH).text == answer.trust_pem


@pytest.mark.parametrize(
    "path", ["/api/v1/devices", "/api/v1/sites", "/metrics", "/health/ready", "/docs", "/"]
)
def test_nothing_else_is_answered_there(boxes: httpx.Client, path: str) -> None:
    answer = boxes.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_guessing_is_slowed_down(container: CoordinatorContainer, boxes: httpx.Client) -> None:
    guess = Box.new().request("x" * 43).model_dump_json()

    statuses = [boxes.post(ENROLMENT_PATH, content=guess).status_code for _ in range(12)]

    assert statuses == [403] * 10 + [429] * 2


def test_older_tls_is_refused(container: CoordinatorContainer, boxes: httpx.Client) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(cadata=container.authority().trust_pem.decode())
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with (
        httpx.Client(base_url=boxes.base_url, verify=old, trust_env=False) as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get(TRUST_PATH)


def test_the_list_that_is_published_names_a_retired_boxs_certificate(
    container: CoordinatorContainer, boxes: httpx.Client
) -> None:
    token = container.tokens().create("main", hours=1).token
    device = container.enrolment().enrol(Box.new().request(token.secret)).device
    serial = container.fleet().show(device).certificates[0].serial

    before = boxes.get("/api/v1/revoked").content
    container.fleet().retire(device, reason="test")
    after = boxes.get("/api/v1/revoked").content

    assert serial not in revoked_serials(before)
    assert serial in revoked_serials(after)


def revoked_serials(pem: bytes) -> set[str]:
    return {format(one.serial_number, "x") for crl in read_crls(pem) for one in crl}


def test_the_api_retires_a_box_and_keeps_a_wish(container: CoordinatorContainer) -> None:
    token = container.tokens().create("main", hours=1).token
    device = container.enrolment().enrol(Box.new().request(token.secret)).device
    app = lets_in(create_app(container))
    wish = {"cameras": [{"camera": "north"}], "if_version": 0}

    told = ask(app, "PUT", f"/api/v1/devices/{device}/twin", json=wish)
    stale = ask(app, "PUT", f"/api/v1/devices/{device}/twin", json=wish)
    ended = ask(app, "POST", f"/api/v1/devices/{device}/retirement", json={"reason": "test"})
    late = ask(app, "PUT", f"/api/v1/devices/{device}/twin", json={"cameras": []})

    assert told.json()["desired_version"] == 1
    assert (stale.status_code, ended.status_code, late.status_code) == (409, 201, 409)
    assert ask(app, "GET", f"/api/v1/devices/{device}").json()["state"] == "retired"
