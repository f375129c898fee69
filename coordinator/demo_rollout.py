"""A version that may be tried → one box, a second person's word, then the fleet, as it happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from common.errors import UnreachableError
from coordinator.demo_people import DemoPerson
from coordinator.demo_release import promote
from coordinator.demo_sites import WATCH_S

_WITHIN_S = 600.0
_LOOK_EVERY_S = 1.0
_QUIET_S = 3.0
"""So long nothing may happen after a wave; a city would wait for a rush hour."""
_ENDED = ("done", "halted", "rolled_back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a rollout.

    Attributes:
        state: done, or halted where a box refused the version.
        canary: Site of the box that went first.
        running: Site → version that its box reports.
        is_again: It is a re-release of what ran before.
        proposed_by: Who asked for production, empty where it did not come so far.
        approved_by: Who let it in.
    """

    version: str
    state: str
    canary: str
    running: Mapping[str, str]
    is_again: bool = False
    proposed_by: str = ""
    approved_by: str = ""
    took_s: float

    @property
    def is_everywhere(self) -> bool:
        """Every box reports the version."""
        return bool(self.running) and set(self.running.values()) == {self.version}


class DemoRollout:
    """One rollout, told line by line."""

    def __init__(
        self,
        console: Console,
        proposer: DemoPerson,
        *,
        sites: Mapping[str, str],
        second: Callable[[], DemoPerson],
    ) -> None:
        """Prepare.

        Args:
            console: Where it is told.
            proposer: Who begins it.
            sites: Device → site.
            second: Lets a second person in when one is needed.
        """
        self._console = console
        self._proposer = proposer
        self._sites = sites
        self._second = second
        self._told: dict[str, str] = {}
        self._approved_by = ""

    def run(self, version: str, *, is_again: bool = False) -> Delivery:
        """Bring a version that is in canary to every box; ``is_again`` marks a re-release.

        Raises:
            UnreachableError: Nothing came of it in time.
        """
        began_s = time.monotonic()
        wish = {"version": version, "canaries": 1, "waves": [1.0], "limits": {"watch_s": _QUIET_S}}
        rollout = self._proposer.post("/rollouts", wish)["rollout"]
        shown = self._followed(rollout)
        running = self._running(version, is_done=shown["state"] == "done")
        return Delivery(
            version=version,
            state=shown["state"],
            canary=next(self._sites[m["device"]] for m in shown["members"] if m["wave"] == 0),
            running=running,
            is_again=is_again,
            proposed_by=self._proposer.name if self._approved_by else "",
            approved_by=self._approved_by,
            took_s=time.monotonic() - began_s,
        )

    def _followed(self, rollout: str) -> dict[str, Any]:
        give_up_s = time.monotonic() + _WITHIN_S
        while time.monotonic() < give_up_s:
            shown: dict[str, Any] = self._proposer.get(f"/rollouts/{rollout}")
            for member in shown["members"]:
                self._tell(member)
            if shown["state"] == "waiting" and not self._approved_by:
                self._console.print(f"the canary held: {shown['reason']}")
                self._approve(shown["version"])
            if shown["state"] in _ENDED:
                self._console.print(f"the rollout is {shown['state']}: {shown['reason']}")
                return shown
            time.sleep(_LOOK_EVERY_S)
        raise UnreachableError(
            f"rollout {rollout} did not end within {_WITHIN_S:.0f} s",
            hint="the logs of the boxes tell why",
        )

    def _approve(self, version: str) -> None:
        refused = promote(self._proposer, version, "production")
        if refused:
            raise UnreachableError(f"production was not proposed: {refused}")
        self._console.print(f"{self._proposer.name} proposes {version} for production")
        second = self._second()
        second.post(f"/models/{version}/approval")
        self._approved_by = second.name
        self._console.print(f"{second.name} approves: nobody can do both")

    def _tell(self, member: dict[str, Any]) -> None:
        """One line for every step of a box that was seen."""
        step = member["step"] if member["state"] != "pending" else None
        if step is None or self._told.get(member["device"]) == step:
            return
        self._told[member["device"]] = step
        role = "canary" if member["wave"] == 0 else "fleet"
        self._console.print(f"  {role} {self._sites[member['device']]}: {_in_words(member, step)}")

    def _running(self, version: str, *, is_done: bool) -> dict[str, str]:
        """What every box says that it counts with."""
        give_up_s = time.monotonic() + _WITHIN_S / 10
        while True:
            runs = self._proposer.get("/rollouts/history")
            found = {
                self._sites[run["device"]]: run["version"]
                for run in runs
                if run["ended_at"] is None and run["device"] in self._sites
            }
            is_there = len(found) == len(self._sites) and set(found.values()) == {version}
            if is_there or not is_done or time.monotonic() > give_up_s:
                return found
            time.sleep(_LOOK_EVERY_S)


def _in_words(member: dict[str, Any], step: str) -> str:
    gate = member["gate"]
    figures = ""
    if gate is not None:
        figures = f" (finds {gate['match']:.0%} of the reference's boxes, F1 {gate['f1']:.2f}"
        before = gate["active_f1"]
        figures += ")" if before is None else f"; the model in use {before:.2f})"
    return {
        "fetching": "fetches it, and believes nothing that is not signed",
        "verifying": "holds every byte against the signed list",
        "building": "builds what will run it",
        "gating": "measures it on the calibration frames, while it goes on counting",
        "watching": f"counts with it, and watches itself for {WATCH_S:.0f} s{figures}",
        "confirmed": f"confirms it{figures}",
        "refused": f"REFUSES it: {member['reason']}{figures}",
        "rolled_back": f"went BACK to the model before: {member['reason']}",
    }.get(step, step)
