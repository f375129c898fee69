"""The redacted live view: only here, only for whoever has the address, only for a while."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import ConfigError, UnreachableError
from edge.anonymise.egress_log import EgressLog
from edge.anonymise.live_view import MOST_VIEWERS, LiveView
from edge.anonymise.preview import Preview, Shown
from edge.anonymise.redaction import Redactor
from edge.capture.frames import Frame
from tests.fakes.clocks import StandingClock
from tests.fakes.fixed_detector import FixedDetector
from tests.fakes.frames import make_frame
from tests.unit.anonymise.stored_bins import EIGHT

pytestmark = pytest.mark.integration


class NoFaces:
    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:  # noqa: ARG002
        return np.zeros((0, 4))


@pytest.fixture
def view() -> Iterator[LiveView]:
    with LiveView() as view:
        yield view


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(EIGHT)


@pytest.fixture
def log(tmp_path: Path, clock: StandingClock) -> Iterator[EgressLog]:
    log = EgressLog(tmp_path / "previews", clock=clock)
    yield log
    log.close()


Ask = Callable[..., http.client.HTTPResponse]


@pytest.fixture
def asked() -> Iterator[Ask]:
    """Asks a view for a path, by its usual name or another."""
    with ExitStack() as closing:

        def ask(view: LiveView, path: str, *, host: str | None = None) -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection("127.0.0.1", view.port, timeout=10)
            closing.callback(connection.close)
            connection.request("GET", path, headers={} if host is None else {"Host": host})
            return closing.enter_context(connection.getresponse())

        yield ask


def path_of(view: LiveView) -> str:
    return urlsplit(view.url).path


def read_pictures(answer: http.client.HTTPResponse, number: int) -> list[bytes]:
    found = []
    for _ in range(number):
        assert answer.readline() == b"--picture\r\n"
        assert answer.readline() == b"Content-Type: image/jpeg\r\n"
        size = int(answer.readline().split()[1])
        answer.readline()
        found.append(answer.read(size))
        answer.readline()
    return found


def test_the_page_and_the_pictures_are_behind_the_address(view: LiveView, asked: Ask) -> None:
    page = asked(view, path_of(view))
    view.show(b"first")
    stream = asked(view, path_of(view) + "pictures")

    assert page.status == 200
    assert b'<img src="pictures"' in page.read()
    assert page.headers["Cache-Control"] == "no-store"
    assert read_pictures(stream, 1) == [b"first"]
    view.show(b"second")
    assert read_pictures(stream, 1) == [b"second"]


@pytest.mark.parametrize(
    "path",
    ["/", "/pictures", "//", "/wrong-token/", "/wrong-token/pictures", "/%C3%A9/"],
)
def test_nothing_is_found_without_the_address(view: LiveView, path: str, asked: Ask) -> None:
    view.show(b"first")

    assert asked(view, path).status == 404


def test_a_page_elsewhere_cannot_reach_it_under_its_own_name(view: LiveView, asked: Ask) -> None:
    answers = [
        asked(view, path_of(view), host=host).status
        for host in ("evil.example", f"evil.example:{view.port}", "", f"localhost:{view.port}")
    ]

    assert answers == [404, 404, 404, 200]


def test_each_view_has_another_address() -> None:
    with LiveView() as first, LiveView() as second:
        assert path_of(first) != path_of(second)
        assert len(path_of(first)) > 30


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.1.7", "::", "example.com"])  # noqa: S104
def test_it_refuses_to_listen_anywhere_else(host: str) -> None:
    with pytest.raises(ConfigError, match="pictures do not leave the box"):
        LiveView(host=host)


def test_it_is_not_reachable_at_another_address_of_this_machine(view: LiveView) -> None:
    with socket.socket() as other:
        other.settimeout(5)

        # All of 127.0.0.0/8 is this machine; only 127.0.0.1 is listened on.
        assert other.connect_ex(("127.0.0.2", view.port)) != 0


def test_a_taken_port_is_said(view: LiveView) -> None:
    with pytest.raises(UnreachableError, match=f"port {view.port} cannot be used"):
        LiveView(port=view.port)


def test_viewers_are_bounded(view: LiveView, asked: Ask) -> None:
    view.show(b"first")
    watching = [asked(view, path_of(view) + "pictures") for _ in range(MOST_VIEWERS)]

    assert asked(view, path_of(view) + "pictures").status == 503
    assert [answer.status for answer in watching] == [200] * MOST_VIEWERS


def test_whoever_watches_at_the_end_gets_no_more(asked: Ask) -> None:
    with LiveView() as view:
        view.show(b"first")
        stream = asked(view, path_of(view) + "pictures")
        read_pictures(stream, 1)

    assert stream.read() == b""


def frames(clock: StandingClock, *, every_s: float = 0.25) -> Iterator[Frame | None]:
    """A camera that never ends; the clock moves with it."""
    for number in count():
        clock.move(every_s)
        yield make_frame("north", captured_s=number * every_s)


def run(
    clock: StandingClock, log: EgressLog, source: Iterator[Frame | None], **options: object
) -> tuple[Shown, list[bytes]]:
    shown: list[bytes] = []
    preview = Preview(
        Redactor(FixedDetector(), faces=NoFaces()), log=log, clock=clock, stop=threading.Event()
    )
    return preview.run(source, camera_id="north", show=shown.append, **options), shown


def test_it_ends_by_itself_after_ten_minutes(clock: StandingClock, log: EgressLog) -> None:
    done, pictures = run(clock, log, frames(clock, every_s=10.0))

    assert done.ended_at - done.began_at == timedelta(minutes=10)
    # Sixty steps of ten seconds; the last is at the end, and pictures come one late.
    assert done.pictures == len(pictures) == 58
    assert done.size_bytes == sum(len(picture) for picture in pictures)


def test_no_one_gets_more_than_ten_minutes(clock: StandingClock, log: EgressLog) -> None:
    with pytest.raises(ValueError, match="expected up to 0:10:00"):
        run(clock, log, frames(clock), longest=timedelta(minutes=11))


def test_it_is_written_down_before_the_first_picture_and_after_the_last(
    clock: StandingClock, log: EgressLog
) -> None:
    before: list[int] = []

    def watched() -> Iterator[Frame | None]:
        before.append(len(list(log.entries())))
        yield from frames(clock)

    done, _ = run(clock, log, watched(), longest=timedelta(seconds=5))

    first, last = [entry.what for entry in log.entries()]
    assert before == [1]
    assert (first.kind, first.cameras, first.items) == ("preview", ("north",), 0)
    assert (last.items, last.size_bytes) == (done.pictures, done.size_bytes)
    assert (last.first_at, last.last_at) == (EIGHT, EIGHT + timedelta(seconds=5))
    assert log.verify().is_whole


def test_a_camera_that_fails_is_written_down_as_well(clock: StandingClock, log: EgressLog) -> None:
    def failing() -> Iterator[Frame | None]:
        for number in range(3):
            yield make_frame("north", captured_s=number * 1.0)
        raise UnreachableError("camera north went away")

    with pytest.raises(UnreachableError):
        run(clock, log, failing())
    assert [entry.what.items for entry in log.entries()] == [0, 2]


def test_few_pictures_a_second_are_looked_at_and_gaps_are_passed_over(
    clock: StandingClock, log: EgressLog
) -> None:
    def fast() -> Iterator[Frame | None]:
        for number in range(26):
            yield make_frame("north", captured_s=number / 25)
            yield None

    done, _ = run(clock, log, fast())

    # At 0, 0.28, 0.56 and 0.84 s; one comes late and is not shown.
    assert done.pictures == 3
