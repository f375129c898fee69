"""A provisioned city → boxes reach the rounds through the proxy, and nobody reaches more."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable

from tests.provisioning.city import City
from tests.provisioning.waiting import wait_until

_TRAINS_WITHIN_S = 300.0


def play_rounds(city: City, tell: Callable[[str], None]) -> None:
    """What is special about rounds; whatever does not hold raises.

    Raises:
        AssertionError: A step did not show what it must.
        TimeoutError: A step took too long.
    """
    took_s = wait_until(
        "a node of the box at the rounds",
        lambda: _hurried(city) and "/v1/fleet/activate-node" in _superlink_log(city),
        within_s=_TRAINS_WITHIN_S,
    )
    tell(f"the box's SuperNode got through the proxy {took_s:.0f} s later")
    before = _superlink_log(city).count("/v1/control/")
    refused = ("/v1/control/start-run", "/v1/fleet/../control/start-run", "/")
    assert {path: _ask(city, path) for path in refused} == dict.fromkeys(refused, 403)
    assert _ask(city, "/v1/fleet/activate-node") != 403
    assert _superlink_log(city).count("/v1/control/") == before
    assert _listens_at(city, city.ports.link) == "127.0.0.1"
    assert _listens_at(city, city.ports.proxy) == "0.0.0.0"  # noqa: S104
    tell("the proxy passes the fleet path alone; the SuperLink listens on loopback")
    _fall(city, tell)


def _fall(city: City, tell: Callable[[str], None]) -> None:
    """A coordinator that is killed leaves the rounds running and finds them again."""
    server = city.server
    link = server.run("pgrep", "-f", "bin/flower-superlink").stdout.split()
    fallen = server.property_of("its-coordinator", "MainPID")
    server.run("kill", "-KILL", fallen)
    wait_until(
        "a new coordinator",
        lambda: (
            server.property_of("its-coordinator", "MainPID") not in ("0", fallen)
            and server.property_of("its-coordinator", "SubState") == "running"
        ),
        within_s=120,
    )
    assert link
    assert server.run("pgrep", "-f", "bin/flower-superlink").stdout.split() == link
    tell("kill -9 of the coordinator: it is back, and its SuperLink is the same process")


def _hurried(city: City) -> bool:
    """SuperNodes take idle time alone, and the host of a test may have none."""
    city.box.run(
        "for p in $(pgrep -f flower-super); do chrt -a -o -p 0 $p; renice -n 0 -p $p; done"
    )
    return True


def _superlink_log(city: City) -> str:
    file = city.server.folder / "var/lib/its-coordinator/federation/flower/superlink.log"
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def _ask(city: City, path: str) -> int:
    trust = city.server.folder / "var/lib/its-coordinator/keys/own/trust.pem"
    context = ssl.create_default_context(cafile=str(trust))
    connection = http.client.HTTPSConnection(
        "localhost", city.ports.proxy, context=context, timeout=20
    )
    try:
        connection.request("POST", path, body=b"")
        return connection.getresponse().status
    finally:
        connection.close()


def _listens_at(city: City, port: int) -> str:
    (line,) = city.server.run("ss", "-Hltn", f"sport = :{port}").stdout.splitlines()
    return line.split()[3].rpartition(":")[0]
