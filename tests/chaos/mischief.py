"""A running town and a seed → what goes wrong in it, when, and for how long."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.chaos.kept_running import KeptRunning
from tests.chaos.torn_outbox import tear
from tests.chaos.town import Town, TownBox

_LOOK_EVERY_S = 0.1


@dataclass(slots=True)
class _Trouble:
    """Something that is wrong now, and how it ends."""

    target: str
    ends_at_s: float
    end: Callable[[], None]


class Mischief:
    """Does one thing after the other; several may be wrong at a time, each target once."""

    def __init__(self, town: Town, *, pauses_s: tuple[float, float] = (0.5, 3.0)) -> None:
        self.done: Counter[str] = Counter()
        self._town = town
        self._chance = random.Random(town.settings.seed)  # noqa: S311 - chaos, no secret
        self._pauses_s = pauses_s
        self._troubles: list[_Trouble] = []
        self._kinds = self._all_kinds()

    def run(self, seconds: float) -> None:
        """Every kind once, in chance order, then whatever chance says; at least so long."""
        first = list(self._kinds)
        self._chance.shuffle(first)
        stop_s, next_s = time.monotonic() + seconds, time.monotonic()
        while first or time.monotonic() < stop_s:
            self._look()
            if time.monotonic() >= next_s:
                kind = first.pop() if first else self._chance.choice(list(self._kinds))
                if self._kinds[kind]():
                    next_s = time.monotonic() + self._chance.uniform(*self._pauses_s)
                elif kind not in self.done:
                    first.insert(0, kind)
            time.sleep(_LOOK_EVERY_S)

    def heal(self) -> None:
        """End every trouble now."""
        for trouble in self._troubles:
            trouble.end()
        self._troubles.clear()
        self._town.proxy.heal()

    def _all_kinds(self) -> dict[str, Callable[[], bool]]:
        town = self._town
        kinds: dict[str, Callable[[], bool]] = {
            "line_cut": self._cut,
            "line_cut_mid_message": lambda: self._on_the_line("line_cut_mid_message"),
            "line_stalled": lambda: self._on_the_line("line_stalled"),
            "line_refused": lambda: self._on_the_line("line_refused"),
            "outbox_torn": lambda: self._kill_box(is_torn=True),
            "box_killed": lambda: self._kill_box(is_torn=False),
            "keys_rotated": self._rotate_keys,
            "box_renewed": self._renew,
        }
        for process in town.coordinator:
            kinds[f"{process.name}_killed"] = lambda each=process: self._kill(each)  # type: ignore[misc]
        if town.mosquitto is not None:
            kinds["broker_killed"] = self._kill_broker
        if town.postgres is not None:
            kinds["database_killed"] = self._kill_database
        return kinds

    def _cut(self) -> bool:
        self._town.proxy.cut()
        return self._note("line_cut")

    def _on_the_line(self, kind: str) -> bool:
        if self._is_troubled("line"):
            return False
        proxy = self._town.proxy
        {
            "line_cut_mid_message": proxy.cut_mid_message,
            "line_stalled": proxy.stall,
            "line_refused": proxy.refuse,
        }[kind]()
        self._begin("line", proxy.heal)
        return self._note(kind)

    def _kill_box(self, *, is_torn: bool) -> bool:
        box: TownBox = self._chance.choice(self._town.boxes)
        if self._is_troubled(box.name):
            return False
        box.process.kill()
        kind = "box_killed"
        if is_torn:
            kind = "outbox_torn"
            self.done[f"outbox_torn:{tear(box.outbox_file, self._chance)}"] += 1
        self._begin(box.name, box.process.start)
        return self._note(kind)

    def _kill(self, process: KeptRunning) -> bool:
        if self._is_troubled(process.name):
            return False
        self._town.deliveries.read()
        process.kill()
        self._begin(process.name, process.start)
        return self._note(f"{process.name}_killed")

    def _kill_broker(self) -> bool:
        broker = self._town.mosquitto
        if broker is None or self._is_troubled("broker"):
            return False
        broker.kill()
        self._begin("broker", broker.start)
        return self._note("broker_killed")

    def _kill_database(self) -> bool:
        server = self._town.postgres
        if server is None or self._is_troubled("database"):
            return False
        server.kill()
        self._begin("database", server.start)
        return self._note("database_killed")

    def _rotate_keys(self) -> bool:
        # Once: an order key that boxes have not been told of is no concern of this test.
        if not self.done["keys_rotated"]:
            self._town.command("fleet", "keys", "rotate")
            return self._note("keys_rotated")
        return True

    def _renew(self) -> bool:
        """A box gets a new certificate, a new signing key, and learns of the newest keys."""
        box = self._chance.choice(self._town.boxes)
        (box.folder / "renew").touch()
        return self._note("box_renewed")

    def _begin(self, target: str, end: Callable[[], None]) -> None:
        lasts_s = self._chance.choice((0.2, 1.0, 2.0, 4.0))
        self._troubles.append(_Trouble(target, time.monotonic() + lasts_s, end))

    def _is_troubled(self, target: str) -> bool:
        return any(trouble.target == target for trouble in self._troubles)

    def _note(self, kind: str) -> bool:
        self.done[kind] += 1
        self._write_down(kind)
        return True

    def _write_down(self, what: str) -> None:
        """For whoever has to explain a difference from logs."""
        with (self._town.folder / "mischief.log").open("a") as file:
            file.write(f"{datetime.now(UTC).isoformat()} {what}\n")

    def _look(self) -> None:
        now_s = time.monotonic()
        for trouble in [each for each in self._troubles if each.ends_at_s <= now_s]:
            self._troubles.remove(trouble)
            trouble.end()
            self._write_down(f"{trouble.target} healed")
        for process in self._town.processes:
            process.look()
