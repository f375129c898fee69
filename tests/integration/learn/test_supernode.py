"""The node beside the agent: started when the box is ready, ended with everything it started."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from common.errors import ConfigError
from edge.learn.background import LEAST_PRIORITY, memory_below_mb
from edge.learn.supernode import NodeOrder, NodePauses, SuperNode

pytestmark = pytest.mark.integration

_STAYS = "import time; print('connected', flush=True); time.sleep(60)"
_WITH_CHILD = """
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(60)
"""


def order(*words: str) -> NodeOrder:
    return NodeOrder(command=[sys.executable, "-c", *words], environment=dict(os.environ))


def eventually(holds: Callable[[], bool], *, within_s: float = 30.0) -> bool:
    give_up_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(node: SuperNode) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=node.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def always() -> bool:
    return True


def node_of(order_of: Callable[[], NodeOrder], **gates: Callable[[], bool]) -> SuperNode:
    """At normal priority: on a busy machine, one in the background takes minutes to begin."""
    gates = {"may_start": always, "may_go_on": always, **gates}
    pauses = NodePauses(restart_s=0.3, ask_s=0.01)
    return SuperNode(order=order_of, pauses=pauses, push=lambda _pid: None, **gates)


def test_it_has_the_lowest_priority_and_ends_with_the_agent() -> None:
    node = SuperNode(order=lambda: order(_STAYS), may_start=always, may_go_on=always)

    with running(node):
        assert eventually(lambda: node.pid is not None)
        pid = node.pid or 0
        priority, policy = os.getpriority(os.PRIO_PROCESS, pid), os.sched_getscheduler(pid)

    assert (priority, policy) == (LEAST_PRIORITY, os.SCHED_IDLE)
    assert node.pid is None
    assert not Path(f"/proc/{pid}").exists()


def test_what_it_says_stands_in_our_log() -> None:
    node = node_of(lambda: order(_STAYS))

    with capture_logs() as logs, running(node):
        assert eventually(lambda: any(line.get("line") == "connected" for line in logs))
        assert memory_below_mb(node.pid or 0) > 1


def test_what_the_node_started_ends_with_it(tmp_path: Path) -> None:
    told = tmp_path / "child.pid"
    node = node_of(lambda: order(_WITH_CHILD, str(told)))

    with running(node):
        assert eventually(lambda: told.exists() and bool(told.read_text()))
        child = told.read_text()

    assert eventually(lambda: not _is_alive(child))


def test_a_box_that_is_not_ready_starts_nothing() -> None:
    asked = threading.Event()

    def not_yet() -> bool:
        asked.set()
        return False

    node = node_of(lambda: order(_STAYS), may_start=not_yet)

    with running(node):
        assert asked.wait(10)
        assert node.pid is None


def test_a_box_that_gets_hot_ends_its_node_and_starts_it_again_when_it_is_ready() -> None:
    is_cool = threading.Event()
    is_cool.set()
    node = node_of(lambda: order(_STAYS), may_start=is_cool.is_set, may_go_on=is_cool.is_set)

    with running(node):
        assert eventually(lambda: node.pid is not None)
        first = node.pid
        is_cool.clear()
        assert eventually(lambda: node.pid is None)
        is_cool.set()
        assert eventually(lambda: node.pid not in (None, first))


def test_a_node_that_ends_is_started_again_after_a_pause_never_at_once() -> None:
    starts: list[float] = []

    def ends_at_once() -> NodeOrder:
        starts.append(time.monotonic())
        return order("pass")

    node = node_of(ends_at_once)

    with running(node):
        assert eventually(lambda: len(starts) >= 3)

    assert all(later - earlier >= 0.3 for earlier, later in pairwise(starts))


def test_a_box_without_the_program_says_what_to_install() -> None:
    missing = NodeOrder(command=["/nowhere/flower-supernode"], environment={})
    node = node_of(lambda: missing)

    with pytest.raises(ConfigError, match="flower-supernode is not installed"):
        node.run(threading.Event())


def _is_alive(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
