"""Two bare machines → a city that counts, survives, and retires a box; step by step.

``python -m tests.provisioning.story`` runs it as root and prints what each step showed;
``--rounds`` also has them train together, which takes torch, some gigabytes on each.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from common.errors import UnreachableError
from coordinator.broker.brief_client import BriefClient, BrokerLogin
from tests.provisioning.city import SITE, WATCHDOG_S, City, Played, bare_city
from tests.provisioning.rounds import play_rounds
from tests.provisioning.waiting import wait_until

Tell = Callable[[str], None]

_IDENTITY = "var/lib/its/identity"
_FOLDER = "/var/lib/its-coordinator"
_TOKEN_FILE = "var/lib/its-coordinator/story.token"  # noqa: S105 - where it is, not what
_COUNTED_WITHIN_S = 240.0


def play_story(city: City, tell: Tell) -> None:
    """All of it; whatever does not hold raises.

    Raises:
        AssertionError: A step did not show what it must.
        TimeoutError: A step took too long.
    """
    _provision(city, tell, "provision_coordinator")
    _nobody_is_in(city, tell)
    _provision(city, tell, "provision_edge")
    (device,) = devices(city)
    assert device["state"] == "enrolled"
    took_s = wait_until(
        "counts at the coordinator", lambda: minutes_counted(city) > 0, within_s=_COUNTED_WITHIN_S
    )
    tell(f"{device['id']} of {SITE} is enrolled; its counts were there {took_s:.0f} s later")
    _broker(city, tell, device["id"])
    _freeze(city, tell)
    if city.with_rounds:
        play_rounds(city, tell)
    _retire(city, tell, device["id"])


def devices(city: City) -> list[dict[str, Any]]:
    """What the coordinator knows of its boxes."""
    told: list[dict[str, Any]] = json.loads(city.ask_coordinator("fleet", "list", "--json"))
    return told


def minutes_counted(city: City) -> int:
    """Minutes with vehicles in them, as the API tells a program that has a token."""
    now = datetime.now(UTC)
    begin, end = now - timedelta(hours=1), now + timedelta(minutes=1)
    answer = _ask_api(
        city,
        f"/api/v1/sites/{SITE}/counts?width=1min&kind=line"
        f"&from={begin:%Y-%m-%dT%H:%M:00Z}&to={end:%Y-%m-%dT%H:%M:00Z}",
        token=(city.server.folder / _TOKEN_FILE).read_text(encoding="utf-8").strip(),
    )
    if answer.status_code == 404:  # the site is made by the first report
        return 0
    assert answer.status_code == 200, answer.text
    return sum(
        bool(sum(filter(None, minute)))
        for minute in zip(*(series["total"] for series in answer.json()["series"]), strict=True)
    )


def _ask_api(city: City, path: str, *, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"http://127.0.0.1:{city.ports.api}{path}", headers=headers, timeout=20)


def _provision(city: City, tell: Tell, playbook: str) -> None:
    bare = _played(city, playbook, "--check")
    tell(f"{playbook}, check mode on a bare machine: 0 failed, {bare.changed} would change")
    first = _played(city, playbook)
    tell(f"{playbook}, first run: 0 failed, {first.changed} changed")
    second = _played(city, playbook)
    assert second.changed == 0, second.output[-4000:]
    tell(f"{playbook}, second run: 0 failed, 0 changed")
    checked = _played(city, playbook, "--check", "--diff")
    assert checked.changed == 0, checked.output[-4000:]
    tell(f"{playbook}, check mode: 0 failed, 0 would change")


def _played(city: City, playbook: str, *words: str) -> Played:
    played = city.play(playbook, *words)
    assert played.failed == 0, played.output[-6000:]
    return played


def _nobody_is_in(city: City, tell: Tell) -> None:
    """No account, no default password, nothing without signing in."""
    wait_until("the coordinator is ready", lambda: _is_ready(city), within_s=60)
    assert json.loads(city.ask_coordinator("security", "user", "list", "--json")) == []
    assert _ask_api(city, "/api/v1/sites").status_code == 401
    city.ask_coordinator("security", "bootstrap", "--output", f"{_FOLDER}/link")
    assert "/welcome?" in (city.server.folder / f"{_FOLDER[1:]}/link").read_text(encoding="utf-8")
    city.ask_coordinator(
        "security", "token", "create", "story", "--role", "viewer", "--output", f"/{_TOKEN_FILE}"
    )
    tell("coordinator ready, with mosquitto; no account exists, the API says 401, a link was made")


def _is_ready(city: City) -> bool:
    try:
        return _ask_api(city, "/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def _login(city: City, identity: Path, device: str) -> BrokerLogin:
    return BrokerLogin(
        host="127.0.0.1",
        port=city.ports.broker,
        protocol="3.1.1",
        client_id=device,
        trust_file=identity / "trust.pem",
        certificate_file=identity / "tls.pem",
        key_file=identity / "tls.key",
    )


def _broker(city: City, tell: Tell, device: str) -> None:
    """The box's own keys, used beside it: what mosquitto grants them and what not."""
    kept = city.folder / "kept"
    shutil.copytree(city.box.folder / _IDENTITY, kept)
    own = f"its/v1/{device}/up/nonsense"
    # Whoever signs in last under a name has its session: agent and test would throw each other out.
    city.box.run("systemctl", "stop", "its-edge")
    login, ended = _login(city, kept, device), ""
    try:
        with BriefClient(login) as client:
            client.publish("its/v1/somebody-else/up/nonsense", b"x")
            client.publish(own, b"x")
    except UnreachableError as error:
        ended = str(error)
    assert "hung up" in ended
    with BriefClient(login) as client:
        client.publish(own, b"x")
    city.box.run("systemctl", "start", "its-edge")
    wait_until("nonsense in quarantine", lambda: own in _quarantined(city), within_s=30)
    assert _quarantined(city) == {own}
    assert "certificate required" in _refusal_without_certificate(city, kept)
    tell("mosquitto: its own topic came through, another's ended the connection")
    tell("mosquitto: whoever shows no certificate is refused")


def _quarantined(city: City) -> set[str]:
    return {topic for (topic,) in city.table("select topic from quarantine")}


def _refusal_without_certificate(city: City, identity: Path) -> str:
    context = ssl.create_default_context(cafile=str(identity / "trust.pem"))
    address = ("127.0.0.1", city.ports.broker)
    try:
        with (
            socket.create_connection(address, timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=address[0]) as tls,
        ):
            # In TLS 1.3 the client is done before the server has looked at it.
            tls.recv(1)
    except ssl.SSLError as error:
        return str(error).replace("_", " ").lower()
    return ""


def _freeze(city: City, tell: Tell) -> None:
    box = city.box
    frozen = box.property_of("its-edge", "MainPID")
    box.run("kill", "-STOP", frozen)
    took_s = wait_until(
        "restart by the watchdog",
        lambda: (
            box.property_of("its-edge", "MainPID") not in ("0", frozen)
            and box.property_of("its-edge", "SubState") == "running"
        ),
        within_s=WATCHDOG_S * 2 + 120,
    )
    assert "Watchdog timeout" in box.journal("its-edge")
    tell(f"SIGSTOP: restarted by the watchdog after {took_s:.0f} s")


def _retire(city: City, tell: Tell, device: str) -> None:
    box = city.box
    reason = ("-e", "edge_identity_retire_reason=moved")
    _played(city, "retire_edge", *reason)
    assert [one["state"] for one in devices(city)] == ["retired"]
    assert box.property_of("its-edge", "ActiveState") == "inactive"
    assert not (box.folder / _IDENTITY).exists()
    assert _played(city, "retire_edge", *reason).changed == 0
    # Somebody who kept the keys gains nothing by them.
    kept = city.folder / "kept"
    took_s = wait_until(
        "revocation at the broker",
        lambda: "revoked" in _refusal(_login(city, kept, device)),
        within_s=30,
    )
    tell(f"retired: stopped, keys gone; mosquitto says 'certificate revoked' {took_s:.0f} s later")
    shutil.copytree(kept, box.folder / _IDENTITY)
    box.run("chown", "-R", "its:its", f"/{_IDENTITY}")
    since_s, before = time.time(), minutes_counted(city)
    box.run("systemctl", "start", "its-edge")
    wait_until(
        "refusal of the retired box",
        lambda: "broker_lost" in box.journal("its-edge", since_s),
        within_s=90,
    )
    box.run("systemctl", "stop", "its-edge")
    assert minutes_counted(city) == before
    tell("an agent that was started with the kept keys was refused")


def _refusal(login: BrokerLogin) -> str:
    try:
        with BriefClient(login):
            return ""
    except UnreachableError as error:
        return str(error)


def main() -> None:
    """Print the story as it unfolds."""
    began_s = time.monotonic()

    def tell(line: str) -> None:
        print(f"[{time.monotonic() - began_s:5.0f} s] {line}", flush=True)  # noqa: T201

    cache = Path(os.environ.get("ITS_CACHE_DIR", Path.home() / ".cache" / "its-camera-ai"))
    with bare_city(cache / "provisioning", with_rounds="--rounds" in sys.argv[1:]) as city:
        tell("two bare machines run")
        play_story(city, tell)


if __name__ == "__main__":
    main()
