"""What a round brought, or else the packaged weights again → one release, brought to every box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from common.errors import ConflictError
from common.security import Role
from coordinator.demo_counting import SiteResult
from coordinator.demo_people import DemoPerson
from coordinator.demo_release import DemoReleases, promote
from coordinator.demo_rerelease import packaged, rerelease
from coordinator.demo_rollout import Delivery, DemoRollout

SECOND_PERSON = "ben"


class DemoDelivery:
    """Chooses honestly what goes out, and takes it there."""

    def __init__(
        self, console: Console, releases: DemoReleases, ada: DemoPerson, *, config_file: Path
    ) -> None:
        self._console = console
        self._releases = releases
        self._ada = ada
        self._config_file = config_file
        self._chosen: tuple[Path, str] | None = None
        self._is_again = False

    def offer(self, candidate: Path) -> bool:
        """Register what a round brought; False when its gate stays closed, which is told."""
        filed = self._releases.file(candidate)
        refused = promote(self._ada, filed.version, "staging")
        if refused:
            self._console.print(f"the gate stays closed for {filed.version}, and it goes nowhere:")
            self._console.print(f"  {refused}")
            return False
        self._console.print(f"the round's candidate passed its gate: {filed.version} is in staging")
        self._chosen = candidate, filed.version
        return True

    def release_again(self, folder: Path, results: Sequence[SiteResult]) -> None:
        """Let the packaged weights take the place of a candidate, and say so.

        Raises:
            ConflictError: The registry wants more than it is given.
        """
        version = rerelease(folder, results)
        self._console.print(
            f"to show the delivery, the packaged weights {packaged()[0].version} are released "
            f"again as {version}: the same bytes, nothing is better"
        )
        self._releases.file(folder, version=version)
        refused = promote(self._ada, version, "staging")
        if refused:
            raise ConflictError(f"the re-release {version} was not taken: {refused}")
        self._chosen, self._is_again = (folder, version), True

    def roll_out(self, sites: Mapping[str, str], *, api_url: str) -> Delivery:
        """Sign what was chosen, try it on one box, have it approved, bring it to all.

        Args:
            sites: Device → site.
            api_url: Of the coordinator.

        Raises:
            ConflictError: The registry does not believe the signature.
            UnreachableError: Nothing came of it in time.
            ValueError: Nothing was chosen.
        """
        if self._chosen is None:
            raise ValueError("nothing was chosen to go out")
        candidate, version = self._chosen
        self._releases.sign(candidate, version)
        refused = promote(self._ada, version, "canary")
        if refused:
            raise ConflictError(f"{version} did not get into canary: {refused}")
        self._console.print(f"{self._ada.name} begins a rollout of {version}: one box goes first")

        def second() -> DemoPerson:
            return DemoPerson.invited(
                SECOND_PERSON, Role.ML_ENGINEER, api_url=api_url, config_file=self._config_file
            )

        rollout = DemoRollout(self._console, self._ada, sites=sites, second=second)
        return rollout.run(version, is_again=self._is_again)
