"""``its-camera-ai demo --lite`` in a terminal → counts, a release on every box, and a dashboard."""

from __future__ import annotations

import http.cookiejar
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from coordinator.demo_processes import run_command

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(2400)]

LINK = re.compile(r"http://127\.0\.0\.1:\d+/welcome\?link=[\w-]+")
WITHIN_S = 2000
PAGES = ("/", "/sites/day", "/fleet", "/models", "/models/1.0.1", "/quality", "/audit", "/users")


@dataclass
class Terminal:
    """A demo that somebody watches."""

    folder: Path
    process: subprocess.Popen[bytes]
    screen: int
    shown: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Everything on the screen so far."""
        return "".join(self.shown)

    @property
    def words(self) -> str:
        """The same without the frames of tables and the places where lines were broken."""
        return " ".join(re.sub("[│┃]", " ", self.text).split())

    def read(self) -> None:
        """Until the last process has closed the terminal."""
        while True:
            try:
                part = os.read(self.screen, 65_536)
            except OSError:
                return
            if not part:
                return
            self.shown.append(part.decode(errors="replace"))

    def wait_for(self, words: str) -> None:
        """Until the demo has said it."""
        give_up_s = time.monotonic() + WITHIN_S
        while words not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < give_up_s, self.text
            time.sleep(0.5)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """The demo, told to its end, with everything running."""
    folder = tmp_path_factory.mktemp("lite") / "demo"
    screen, tty = pty.openpty()
    # Background jobs of a shell ignore Ctrl-C, and so would what they start; a terminal's do not.
    command = [
        "env", "--default-signal=INT",
        sys.executable, "-m", "common.cli", "demo", "--lite", "--output", str(folder),
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        stdin=tty, stdout=tty, stderr=tty, start_new_session=True,
        env={**os.environ, "COLUMNS": "250", "TERM": "dumb"},
    )  # fmt: skip
    os.close(tty)
    shown = Terminal(folder, process, screen)
    reader = threading.Thread(target=shown.read, daemon=True)
    reader.start()
    try:
        shown.wait_for("Ctrl-C stops everything")
        yield shown
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)
        reader.join(timeout=10)
        os.close(screen)


def test_every_number_in_the_database_is_the_one_that_the_box_counted(terminal: Terminal) -> None:
    assert terminal.words.count("database equals box: yes") == 3
    assert "day (easy): counted exact" in terminal.words
    assert "every one of them right" in terminal.words


def test_every_box_runs_the_release_that_a_second_person_approved(terminal: Terminal) -> None:
    states = {}
    for box in ("day", "night", "rain"):
        config = terminal.folder / "boxes" / box / "edge.yaml"
        told = json.loads(run_command("edge", "release", "show", "--config", str(config), "--json"))
        states[box] = told["active_version"], told["step"]

    assert states == dict.fromkeys(("day", "night", "rain"), ("1.0.1", "confirmed"))
    assert "nothing is better" in terminal.words
    assert "proposed by ada, approved by ben" in terminal.words


def test_the_link_opens_the_dashboard_once(terminal: Terminal) -> None:
    found = LINK.search(terminal.text)
    assert found is not None
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    link = urlsplit(found[0])
    city = f"{link.scheme}://{link.netloc}"
    secret = {"link": parse_qs(link.query)["link"][0]}
    form = urlencode({**secret, "password": "", "again": ""}).encode()

    assert 'name="link"' in browser.open(found[0], timeout=60).read().decode()
    first = browser.open(f"{city}/welcome", data=form, timeout=60)
    pages = {path: browser.open(city + path, timeout=60) for path in PAGES}

    assert urlsplit(first.url).path == "/"
    assert {path: urlsplit(page.url).path for path, page in pages.items()} == {p: p for p in PAGES}
    assert "1.0.1" in pages["/models"].read().decode()
    fleet = pages["/fleet"].read().decode()
    assert all(site in fleet for site in ("day", "night", "rain"))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{city}/welcome", data=form, timeout=60)  # noqa: S310 - our own
    assert secret["link"] not in (terminal.folder / "coordinator.log").read_text(encoding="utf-8")


def test_secrets_lie_in_closed_files_and_are_never_shown(terminal: Terminal) -> None:
    passphrase = terminal.folder / "offline" / "passphrase"

    assert passphrase.stat().st_mode & 0o777 == 0o600
    assert passphrase.parent.stat().st_mode & 0o777 == 0o700
    assert passphrase.read_text(encoding="utf-8").strip() not in terminal.text
    assert not list(terminal.folder.glob("*.link"))


def test_ctrl_c_leaves_no_process_behind(terminal: Terminal) -> None:
    """The last one: nothing runs after it."""
    os.killpg(terminal.process.pid, signal.SIGINT)
    code = terminal.process.wait(timeout=180)

    assert code == 0, terminal.text[-2000:]
    assert "everything is stopped" in terminal.text
    assert running_in(terminal.folder) == []


def running_in(folder: Path) -> list[str]:
    """Command lines of processes that name the folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            lines.append(line)
    return lines
