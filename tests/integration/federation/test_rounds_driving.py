"""Runs from launch to verdict, with benches that are processes and may be killed anywhere."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import ConflictError
from common.rounds import ClientVerdict, RunState
from coordinator.container import CoordinatorContainer
from coordinator.federation.driving import RunDriver
from coordinator.federation.views import RunWish
from tests.fakes.clocks import SkippingClock
from tests.integration.federation.conftest import drive, state_of, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ENDS = (RunState.CANDIDATE, RunState.REJECTED, RunState.FAILED)
NewDriver = Callable[[], RunDriver]


def folder_of(container: CoordinatorContainer, run: str = "first") -> Path:
    path: Path = container.settings().federation_folder / "runs" / run
    return path


def kill_bench(container: CoordinatorContainer, run: str = "first") -> None:
    note = json.loads((folder_of(container, run) / "bench.pid.json").read_text())
    os.killpg(note["pid"], signal.SIGKILL)


def states_passed(container: CoordinatorContainer, run: str = "first") -> list[str]:
    events = container.training().events(run)
    return [event.detail["state"] for event in events if event.kind == "state"]


def last_weights(container: CoordinatorContainer, run: str) -> str:
    digest: str = container.training().show(run).finished[-1].weights_sha256
    return digest


def test_a_run_becomes_a_candidate_and_everything_of_it_is_kept(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver
) -> None:
    manager = container.training()
    manager.launch(wish)

    drive(container, new_driver(), "first", *ENDS)

    view = manager.show("first")
    assert (view.state, view.round, view.reason) == (RunState.CANDIDATE, 2, "")
    assert [len(outcome.clients) for outcome in view.finished] == [3, 3]
    taken = [client for outcome in view.finished for client in outcome.clients]
    assert {client.verdict for client in taken} == {ClientVerdict.ACCEPTED}
    assert {client.samples for client in taken} == {30, 40, 50}
    assert all(client.sent_bytes > 0 and client.loss is not None for client in taken)
    passed = ["planned", "running", "screened", "evaluated", "candidate"]
    assert states_passed(container) == passed
    assert manager.verify("first").findings == []


def test_every_way_to_be_killed_ends_with_the_weights_of_an_undisturbed_run(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver, gate: Path
) -> None:
    manager = container.training()
    manager.launch(wish.model_copy(update={"run": "undisturbed"}))
    drive(container, new_driver(), "undisturbed", *ENDS)
    for hold in ("before-2", "inside-2"):
        (gate / f"at-{hold}").unlink()
        (gate / f"hold-{hold}").touch()
    manager.launch(wish)
    driver = new_driver()

    # Between the rounds the bench dies; in the second round the coordinator does, and then both.
    wait_until("before 2", lambda: driver.step() or (gate / "at-before-2").exists())  # type: ignore[func-returns-value]
    kill_bench(container)
    (gate / "at-before-2").unlink()
    wait_until("again", lambda: driver.step() or (gate / "at-before-2").exists())  # type: ignore[func-returns-value]
    (gate / "hold-before-2").unlink()
    second = new_driver()
    wait_until("inside 2", lambda: second.step() or (gate / "at-inside-2").exists())  # type: ignore[func-returns-value]
    kill_bench(container)
    (gate / "hold-inside-2").unlink()
    drive(container, new_driver(), "first", *ENDS)

    assert state_of(container, "first") is RunState.CANDIDATE
    assert last_weights(container, "first") == last_weights(container, "undisturbed")
    assert manager.verify("first").holds
    kinds = [event.kind for event in manager.events("first")]
    assert kinds.count("run_resumed") == 2
    assert kinds.count("round_finished") == 2


def test_another_coordinator_goes_on_with_the_same_bench(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver, gate: Path
) -> None:
    (gate / "hold-inside-1").touch()
    container.training().launch(wish)
    first = new_driver()
    wait_until("inside 1", lambda: first.step() or (gate / "at-inside-1").exists())  # type: ignore[func-returns-value]

    second = new_driver()
    second.step()
    (gate / "hold-inside-1").unlink()
    drive(container, second, "first", *ENDS)

    kinds = [event.kind for event in container.training().events("first")]
    assert state_of(container, "first") is RunState.CANDIDATE
    assert "run_resumed" not in kinds


def test_a_stopped_run_goes_on_where_it_was(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver, gate: Path
) -> None:
    (gate / "hold-before-2").touch()
    manager, driver = container.training(), new_driver()
    manager.launch(wish)
    wait_until("before 2", lambda: driver.step() or (gate / "at-before-2").exists())  # type: ignore[func-returns-value]

    assert manager.stop("first").is_to_stop
    drive(container, driver, "first", RunState.FAILED)
    stopped = manager.show("first")
    (gate / "hold-before-2").unlink()
    manager.resume("first")
    drive(container, driver, "first", *ENDS)

    assert (stopped.round, stopped.reason) == (1, "stopped by an operator")
    assert state_of(container, "first") is RunState.CANDIDATE
    assert states_passed(container)[2:4] == ["failed", "planned"]
    with pytest.raises(ConflictError, match="is candidate"):
        manager.stop("first")
    with pytest.raises(ConflictError, match="expected one that failed"):
        manager.resume("first")


def test_a_round_below_its_quorum_fails_the_run_and_says_why(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver, gate: Path
) -> None:
    (gate / wish.devices[0]).mkdir()  # a learn folder without readiness refuses every order
    container.training().launch(wish)

    drive(container, new_driver(), "first", *ENDS)

    view = container.training().show("first")
    assert view.state is RunState.FAILED
    assert "round 1: 2 of 3 updates were taken, quorum is 3" in view.reason
    assert container.training().verify("first").holds


def test_a_bench_that_never_finishes_a_round_is_given_up(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver, clock: SkippingClock
) -> None:
    container.training().launch(wish)
    parent = folder_of(container) / "parent.pt"
    parent.write_bytes(b"not what was planned")
    driver = new_driver()

    def has_failed() -> bool:
        driver.step()
        clock.skip(30)
        return state_of(container, "first") is RunState.FAILED

    wait_until("given up", has_failed)

    view = container.training().show("first")
    assert view.reason.startswith("the bench ended 3 times without a finished round: ")
    assert "has SHA-256" in view.reason


def test_a_rewritten_ledger_ends_the_run(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver, gate: Path
) -> None:
    (gate / "hold-before-2").touch()
    container.training().launch(wish)
    driver = new_driver()
    wait_until("before 2", lambda: driver.step() or (gate / "at-before-2").exists())  # type: ignore[func-returns-value]
    wait_until(
        "round 1 is taken in",
        lambda: driver.step() or container.training().show("first").round == 1,  # type: ignore[func-returns-value]
    )

    ledger = folder_of(container) / "ledger.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-1]))
    drive(container, driver, "first", RunState.FAILED)

    view, found = container.training().show("first"), container.training().verify("first")
    assert "expected at least" in view.reason
    assert not found.holds
    assert any("expected at least" in finding for finding in found.findings)


def test_changed_files_of_a_finished_run_are_found(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver
) -> None:
    container.training().launch(wish)
    drive(container, new_driver(), "first", *ENDS)
    folder = folder_of(container)

    weights = folder / "global" / "round-002.f32"
    weights.write_bytes(weights.read_bytes()[::-1])
    (folder / "parent.pt").write_bytes(b"other")
    (folder / "candidate" / "synthetic-2.0.0.npy").unlink()

    findings = " ".join(container.training().verify("first").findings)
    assert "round-002.f32 has SHA-256" in findings
    assert "parent.pt has SHA-256" in findings
    assert "is not there" in findings


def test_runs_wait_for_each_other(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver
) -> None:
    manager, driver = container.training(), new_driver()
    manager.launch(wish)
    manager.launch(wish.model_copy(update={"run": "second"}))
    with pytest.raises(ConflictError, match="'first' exists already"):
        manager.launch(wish)

    driver.step()

    assert state_of(container, "second") is RunState.PLANNED
    assert manager.stop("second").state is RunState.FAILED
    drive(container, driver, "first", *ENDS)


def test_measured_times_become_the_next_deadline(
    container: CoordinatorContainer, wish: RunWish, new_driver: NewDriver
) -> None:
    before = container.training().plan(wish).deadline_s
    container.training().launch(wish)
    drive(container, new_driver(), "first", *ENDS)

    after = container.training().plan(wish.model_copy(update={"run": "next"})).deadline_s

    # The synthetic trainer says that it took half a second: twice that and a minute to start.
    assert (before, after) == (900, 61)
